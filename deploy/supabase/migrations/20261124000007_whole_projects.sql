-- Whole projects: deleting them with a way back, and duplicating them with their clips.
-- The release before works with it: its list leaves deleted projects out, too, and it writes none of the new columns.

-- The mark of a deleted project. It stands with the service's own rows: the web application's row stays as it is.
alter table clip_service.listed_projects add column if not exists deleted_at timestamptz;
grant update (deleted_at) on clip_service.listed_projects to service_role;

-- Each way to ask has an index of the projects that are kept, so that deleted ones cost a page nothing.
create index if not exists kept_by_age on clip_service.listed_projects (created_at, project_id) where deleted_at is null;
create index if not exists kept_by_state
    on clip_service.listed_projects (state, created_at, project_id) where deleted_at is null;
create index if not exists kept_by_owner
    on clip_service.listed_projects (user_id, created_at, project_id) where deleted_at is null;
create index if not exists kept_by_owner_and_state
    on clip_service.listed_projects (user_id, state, created_at, project_id) where deleted_at is null;
create index if not exists deleted_by_age
    on clip_service.listed_projects (created_at, project_id) where deleted_at is not null;
create index if not exists deleted_by_owner
    on clip_service.listed_projects (user_id, created_at, project_id) where deleted_at is not null;
drop index if exists clip_service.listed_by_age;
drop index if exists clip_service.listed_by_state;
drop index if exists clip_service.listed_by_owner;
drop index if exists clip_service.listed_by_owner_and_state;

-- The task that was paid for, of a clip that came along with a duplicate of its project.
alter table clip_service.clips add column if not exists copied_from text;

-- {project_id, now}; marks a project as deleted, which is an edit of it. Gives since when it is; null, if it is not there.
create or replace function public.clip_service_delete_project(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    project uuid := (payload ->> 'project_id')::uuid;
begin
    perform 1 from public.projects where id = project for no key update;
    update clip_service.listed_projects set deleted_at = (payload ->> 'now')::timestamptz
    where project_id = project and deleted_at is null;
    if found then
        perform clip_service.next_sequence(project, true);
    end if;
    return (select to_jsonb(deleted_at) from clip_service.listed_projects where project_id = project);
end
$$;

-- {project_id}; takes the mark away, which is an edit of the project. Gives whether there was one.
create or replace function public.clip_service_restore_project(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    project uuid := (payload ->> 'project_id')::uuid;
begin
    perform 1 from public.projects where id = project for no key update;
    update clip_service.listed_projects set deleted_at = null
    where project_id = project and deleted_at is not null;
    if not found then
        return 'false';
    end if;
    perform clip_service.next_sequence(project, true);
    return 'true';
end
$$;

-- {id, the columns of create_project, model, resolution, audio, clips, now}; stores a project with its choice and with
-- clips that have ended. The id makes a repeat harmless.
create or replace function public.clip_service_duplicate_project(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    project uuid := (payload ->> 'id')::uuid;
begin
    perform set_config('clip_service.now', payload ->> 'now', true);
    perform public.clip_service_create_project(payload);
    if coalesce(payload ->> 'model', payload ->> 'resolution', payload ->> 'audio') is not null then
        insert into clip_service.choices (project_id, model, resolution, audio, chosen_at)
        values (
            project,
            payload ->> 'model',
            payload ->> 'resolution',
            (payload ->> 'audio')::boolean,
            (payload ->> 'now')::timestamptz
        )
        on conflict do nothing;
    end if;
    insert into clip_service.clips (
        task_uuid, project_id, scene, fingerprint, attempt, status, request, submitted_at, sends, reopened_at,
        unknown_answers, video_url, cost_usd, settled_at, settled_by, version, copied_from
    )
    select
        task_uuid, project, scene, fingerprint, attempt, status, request, submitted_at, sends, reopened_at,
        unknown_answers, video_url, cost_usd, settled_at, settled_by, version, copied_from
    from jsonb_populate_recordset(null::clip_service.clips, payload -> 'clips')
    on conflict do nothing;
    return payload -> 'id';
end
$$;

-- {id}; gives the project with what was chosen for it, the number of its last edit and when it was deleted, or null. An
-- older table may hold no times.
create or replace function public.clip_service_project(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select to_jsonb(found) from (
        select
            id, projects.user_id, script, scenes, frames, clips, video_url, input_image_url, audio_recording_url,
            coalesce(projects.created_at, updated_at, 'epoch') as created_at,
            coalesce(updated_at, projects.created_at, 'epoch') as updated_at,
            choices.model, choices.resolution, choices.audio,
            coalesce(project_sequences.edited, 1) as edited,
            listed_projects.deleted_at
        from public.projects
        left join clip_service.choices on choices.project_id = projects.id
        left join clip_service.project_sequences on project_sequences.project_id = projects.id
        left join clip_service.listed_projects on listed_projects.project_id = projects.id
        where id = (payload ->> 'id')::uuid
    ) as found;
$$;

-- {limit}; gives the newest successful clips, newest first, without those that a person asked for again and those that
-- came along with a duplicate.
create or replace function public.clip_service_past_clips(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(past) - '{settled_at,task_uuid}'::text[] order by settled_at desc, task_uuid), '[]') from (
        select
            request #>> '{settings,model}' as model,
            request #>> '{settings,resolution}' as resolution,
            (request #> '{settings,generate_audio}')::boolean as generate_audio,
            (request ->> 'duration_s')::integer as duration_s,
            extract(epoch from settled_at - submitted_at) as seconds,
            cost_usd,
            settled_at,
            task_uuid
        from clip_service.clips
        where status = 'succeeded' and reopened_at is null and copied_from is null
        order by settled_at desc, task_uuid
        limit (payload ->> 'limit')::integer
    ) as past;
$$;

-- {limit, user_id, words, state, after, thumbnails}; gives up to so many projects, newest first, with what a list shows
-- of each: title, at most so many thumbnails, counts, cost. Those of one owner or, where user_id is null, of all; whose
-- title has all of the words; of the state; after the place {created_at, id}. What is null or missing is not asked for.
-- The state `deleted` asks for deleted projects, which are left out else.
create or replace function public.clip_service_projects(payload jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    conditions text := 'deleted_at is null';
    page uuid[];
begin
    -- Only what is asked for is in the query, so that each way to ask has its index: a plan that is kept for all of
    -- them would read every row.
    if payload ->> 'state' = 'deleted' then
        conditions := 'deleted_at is not null';
    elsif payload ->> 'state' is not null then
        conditions := conditions || ' and state = ($1 ->> ''state'')::clip_service.project_state';
    end if;
    if payload ->> 'user_id' is not null then
        conditions := conditions || ' and user_id = ($1 ->> ''user_id'')::uuid';
    end if;
    if payload ->> 'after' is not null then
        conditions := conditions || ' and (created_at, project_id)'
            || ' < (($1 #>> ''{after,created_at}'')::timestamptz, ($1 #>> ''{after,id}'')::uuid)';
    end if;
    if jsonb_array_length(payload -> 'words') > 0 then
        conditions := conditions || ' and not exists ('
            || 'select 1 from jsonb_array_elements_text($1 -> ''words'') as word'
            || ' where strpos(clip_service.folded(title), word) = 0)';
    end if;
    execute 'select coalesce(array_agg(project_id), ''{}'') from ('
        || 'select project_id from clip_service.listed_projects where ' || conditions
        || ' order by created_at desc, project_id desc limit ($1 ->> ''limit'')::integer) as found'
    into page using payload;
    return (
        with counted as (
            select
                project_id,
                count(*) filter (where status = 'succeeded') as completed,
                count(*) filter (where status in ('submitting', 'pending')) as pending,
                count(*) filter (where status = 'failed') as failed
            from clip_service.clip_places
            where place = 1 and project_id = any (page)
            group by project_id
        ),
        paid as (
            select project_id, sum(cost_usd) as cost_usd
            from clip_service.clips where project_id = any (page) group by project_id
        )
        select coalesce(jsonb_agg(to_jsonb(shown) order by shown.created_at desc, shown.id desc), '[]') from (
            select
                id, projects.user_id, projects.clips, video_url, input_image_url, audio_recording_url,
                listed_projects.created_at,
                listed_projects.deleted_at,
                coalesce(updated_at, projects.created_at, 'epoch') as updated_at,
                title,
                (
                    select coalesce(jsonb_agg(url order by place, first_or_last), '[]') from (
                        select place, first_or_last, url
                        from clip_service.by_scene(frames),
                            lateral (values (1, value ->> 'first_frame'), (2, value ->> 'last_frame'))
                                as ends (first_or_last, url)
                        where url <> ''
                        order by place, first_or_last
                        limit (payload ->> 'thumbnails')::integer
                    ) as urls
                ) as thumbnails,
                (
                    select count(*) from (
                        select scene from clip_service.by_scene(frames)
                        union select scene from clip_service.by_scene(scenes)
                        union select scene from clip_service.clips where clips.project_id = id and not superseded
                    ) as scenes
                ) as scene_count,
                coalesce(completed, 0) as completed,
                coalesce(pending, 0) as pending,
                coalesce(failed, 0) as failed,
                coalesce(cost_usd, 0) as cost_usd
            from public.projects
            join clip_service.listed_projects on listed_projects.project_id = id
            left join counted on counted.project_id = id
            left join paid on paid.project_id = id
            where id = any (page)
        ) as shown
    );
end
$$;

select clip_service.restrict_operations();

insert into clip_service.migrations (version) values ('20261124000007') on conflict do nothing;

notify pgrst, 'reload schema';
