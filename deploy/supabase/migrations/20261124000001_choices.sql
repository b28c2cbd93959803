-- What people choose for a project's clips: model, resolution, sound. And frames of 20 MB.

-- A table of its own, which the API does not expose: editing a project's row does not change what the account pays
-- for. Null leaves it to the installation.
create table if not exists clip_service.choices (
    project_id uuid primary key references public.projects (id) on delete cascade,
    model text,
    resolution text,
    audio boolean,
    chosen_at timestamptz not null
);
alter table clip_service.choices enable row level security;
revoke all on clip_service.choices from public, anon, authenticated;
grant select, insert, update on clip_service.choices to service_role;

-- {project_id, model, resolution, audio, now}; gives whether this is a change, which then is an edit of the project.
create or replace function public.clip_service_choose(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    project uuid := (payload ->> 'project_id')::uuid;
    moment timestamptz := (payload ->> 'now')::timestamptz;
    chosen clip_service.choices;
begin
    perform 1 from public.projects where id = project for no key update;
    if not found then
        return 'false';
    end if;
    select * into chosen from clip_service.choices where project_id = project;
    if (chosen.model, chosen.resolution, chosen.audio)
        is not distinct from (payload ->> 'model', payload ->> 'resolution', (payload ->> 'audio')::boolean)
    then
        return 'false';
    end if;
    insert into clip_service.choices (project_id, model, resolution, audio, chosen_at)
    values (project, payload ->> 'model', payload ->> 'resolution', (payload ->> 'audio')::boolean, moment)
    on conflict (project_id) do update set
        model = excluded.model,
        resolution = excluded.resolution,
        audio = excluded.audio,
        chosen_at = excluded.chosen_at;
    update public.projects set updated_at = greatest(updated_at, moment) where id = project;
    perform clip_service.next_sequence(project, true);
    return 'true';
end
$$;

-- {id}; gives the project with what was chosen for it, or null. An older table may hold no times.
create or replace function public.clip_service_project(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select to_jsonb(found) from (
        select
            id, user_id, script, scenes, frames, clips, video_url, input_image_url, audio_recording_url,
            coalesce(created_at, updated_at, 'epoch') as created_at,
            coalesce(updated_at, created_at, 'epoch') as updated_at,
            choices.model, choices.resolution, choices.audio
        from public.projects
        left join clip_service.choices on choices.project_id = projects.id
        where id = (payload ->> 'id')::uuid
    ) as found;
$$;

-- The bucket as an earlier release made it; one that somebody has set otherwise stays as it is.
do $$
begin
    if to_regclass('storage.buckets') is not null then
        update storage.buckets set file_size_limit = 20000000 where id = 'images' and file_size_limit = 10485760;
    end if;
end
$$;

select clip_service.restrict_operations();

insert into clip_service.migrations (version) values ('20261124000001') on conflict do nothing;

notify pgrst, 'reload schema';
