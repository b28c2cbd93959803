-- Projects can be edited by the service: title, frames, scenes and their order, with the clips that move along.
-- The release before works with it: it edits nothing, and no clip changes its scene while it alone runs.

-- Which call of the store made the last edit that the service itself stored.
alter table clip_service.project_sequences add column if not exists edit_id text;

-- The value of projects.clips, or null for a project of which the ledger knows nothing. One whose scenes with clips were
-- all removed has none left to show.
create or replace function clip_service.projection(project uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select case when exists (select 1 from clip_service.clips where project_id = project) then coalesce(
        jsonb_object_agg(
            task_uuid, case status when 'succeeded' then video_url when 'failed' then 'failed' else 'pending' end
        ),
        '{}'
    ) end
    from clip_service.clip_places
    where project_id = project and place = 1;
$$;

-- {project_id}; gives every clip that was ever recorded for it.
create or replace function public.clip_service_all_clips(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(clips)), '[]')
    from clip_service.clips
    where project_id = (payload ->> 'project_id')::uuid;
$$;

-- {project_id, edited, edit_id, script, frames, scenes, moved, moving_scenes, removed_scenes, now}; stores an edited
-- project. The clips of moved ({task_uuid, scene, fingerprint}) get their new scenes and fingerprints; those of removed
-- scenes are current no longer. CL002, if the project's last edit is another one than edited, or a scene that moves has
-- clips that are not in moved. A repeated call, which the edit_id tells, finds done what it did.
create or replace function public.clip_service_edit(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    project uuid := (payload ->> 'project_id')::uuid;
    moment timestamptz := (payload ->> 'now')::timestamptz;
    numbered clip_service.project_sequences;
begin
    perform set_config('clip_service.now', payload ->> 'now', true);
    -- First the lock, then, by statements of their own, the looks: edits and the ledger's new clips wait for it.
    perform 1 from public.projects where id = project for no key update;
    select * into numbered from clip_service.project_sequences where project_id = project;
    if numbered.edit_id = payload ->> 'edit_id' then
        return 'true';
    end if;
    if coalesce(numbered.edited, 1) <> (payload ->> 'edited')::bigint
        or not exists (select 1 from public.projects where id = project)
        or exists (
            select 1 from clip_service.clips
            where project_id = project
                and scene in (select jsonb_array_elements_text(payload -> 'moving_scenes'))
                and task_uuid not in (
                    select value ->> 'task_uuid' from jsonb_array_elements(payload -> 'moved')
                )
        )
    then
        raise exception 'project % was edited since', project using errcode = 'CL002';
    end if;

    -- Two scenes that change places may have the same fingerprints, but for the moment in between.
    update clip_service.clips
    set fingerprint = 'moving ' || task_uuid
    where task_uuid in (select value ->> 'task_uuid' from jsonb_array_elements(payload -> 'moved'));
    update clip_service.clips
    set
        scene = moved.clip ->> 'scene',
        fingerprint = moved.clip ->> 'fingerprint',
        request = jsonb_set(request, '{scene}', moved.clip -> 'scene'),
        version = version + 1,
        write_id = null
    from jsonb_array_elements(payload -> 'moved') as moved (clip)
    where task_uuid = moved.clip ->> 'task_uuid';
    update clip_service.clips
    set superseded = true
    where project_id = project
        and not superseded
        and scene in (select jsonb_array_elements_text(payload -> 'removed_scenes'));

    -- Last, so that no number of a clip is beyond that of the edit.
    update public.projects
    set
        script = payload ->> 'script',
        frames = nullif(payload -> 'frames', 'null'),
        scenes = nullif(payload -> 'scenes', 'null'),
        updated_at = greatest(updated_at, moment)
    where id = project;
    -- Scenes that are alike change places without a change of the columns.
    if not exists (
        select 1 from clip_service.project_sequences
        where project_id = project and edited > (payload ->> 'edited')::bigint
    )
    then
        perform clip_service.next_sequence(project, true);
    end if;
    update clip_service.project_sequences set edit_id = payload ->> 'edit_id' where project_id = project;
    return 'true';
end
$$;

select clip_service.restrict_operations();

insert into clip_service.migrations (version) values ('20261124000006') on conflict do nothing;

notify pgrst, 'reload schema';
