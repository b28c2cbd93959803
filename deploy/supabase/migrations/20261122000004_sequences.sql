-- Sequence numbers, for those who watch a project, and what lists and estimates need.

-- A row of its own: a column of `projects` would make each number a change that Realtime tells of.
create table if not exists clip_service.project_sequences (
    project_id uuid primary key references public.projects (id) on delete cascade,
    sequence bigint not null,
    edited bigint not null
);
alter table clip_service.project_sequences enable row level security;
revoke all on clip_service.project_sequences from public, anon, authenticated;
grant select, insert, update on clip_service.project_sequences to service_role;

alter table clip_service.clips add column if not exists sequence bigint not null default 1;
create index if not exists clips_by_sequence on clip_service.clips (project_id, sequence);
create index if not exists clips_succeeded on clip_service.clips (settled_at) where status = 'succeeded';

-- A project begins at 1. Its row is locked until the transaction ends, so that numbers follow the commits.
create or replace function clip_service.next_sequence(project uuid, edit boolean) returns bigint
language sql set search_path = ''
as $$
    insert into clip_service.project_sequences as numbered (project_id, sequence, edited)
    values (project, 2, case when edit then 2 else 1 end)
    on conflict (project_id) do update set
        sequence = numbered.sequence + 1,
        edited = case when edit then numbered.sequence + 1 else numbered.edited end
    returning sequence;
$$;

create or replace function clip_service.number_clip() returns trigger
language plpgsql set search_path = ''
as $$
begin
    new.sequence := clip_service.next_sequence(new.project_id, false);
    return new;
end
$$;

create or replace trigger number_inserted_clip before insert on clip_service.clips
    for each row execute function clip_service.number_clip();
create or replace trigger number_changed_clip before update on clip_service.clips
    for each row when (
        (old.version, old.status, old.superseded) is distinct from (new.version, new.status, new.superseded)
    )
    execute function clip_service.number_clip();

-- Whoever edits a project has no rights on the numbers.
create or replace function clip_service.number_edit() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform clip_service.next_sequence(new.id, true);
    return null;
end
$$;

create or replace trigger clip_service_number_edit after update of script, scenes, frames on public.projects
    for each row when (
        (old.script, old.scenes, old.frames) is distinct from (new.script, new.scenes, new.frames)
    )
    execute function clip_service.number_edit();

revoke all on all functions in schema clip_service from public, anon, authenticated;
grant execute on function clip_service.next_sequence (uuid, boolean) to service_role;

-- A mapping's keys, scenes by their number; nothing for what is no mapping.
create or replace function clip_service.by_scene(mapping jsonb)
returns table (scene text, value jsonb, place bigint)
language sql immutable set search_path = ''
as $$
    select key, value, row_number() over (
        order by case when key ~ '^\d{1,9}$' then key::integer else 2147483647 end, key
    )
    from jsonb_each(case jsonb_typeof(mapping) when 'object' then mapping else '{}' end);
$$;
grant execute on function clip_service.by_scene (jsonb) to service_role;

-- {limit, user_id, thumbnails}; gives the newest projects, newest first, of one owner or, where user_id is null,
-- of all, with what a list shows of each: title, at most so many thumbnails, counts, cost.
create or replace function public.clip_service_projects(payload jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    owner uuid := (payload ->> 'user_id')::uuid;
begin
    return (
        with listed as (
            select * from public.projects
            where owner is null or user_id = owner
            order by created_at desc, id
            limit (payload ->> 'limit')::integer
        ),
        counted as (
            select
                project_id,
                count(*) filter (where status = 'succeeded') as completed,
                count(*) filter (where status in ('submitting', 'pending')) as pending,
                count(*) filter (where status = 'failed') as failed
            from clip_service.clip_places
            where place = 1 and project_id in (select id from listed)
            group by project_id
        ),
        paid as (
            select project_id, sum(cost_usd) as cost_usd
            from clip_service.clips where project_id in (select id from listed) group by project_id
        )
        select coalesce(jsonb_agg(to_jsonb(shown) order by shown.created_at desc, shown.id), '[]') from (
            select
                id, user_id, listed.clips, video_url, input_image_url, audio_recording_url,
                coalesce(created_at, updated_at, 'epoch') as created_at,
                coalesce(updated_at, created_at, 'epoch') as updated_at,
                coalesce(
                    nullif(btrim(script), ''),
                    (select value ->> 'description' from clip_service.by_scene(scenes) where place = 1),
                    ''
                ) as title,
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
                    ) as scenes
                ) as scene_count,
                coalesce(completed, 0) as completed,
                coalesce(pending, 0) as pending,
                coalesce(failed, 0) as failed,
                coalesce(cost_usd, 0) as cost_usd
            from listed
            left join counted on counted.project_id = id
            left join paid on paid.project_id = id
        ) as shown
    );
end
$$;

-- {since: {project id: sequence number}}; gives of each project with news where it stands, and its scenes that
-- have changed since, each by its current clip.
create or replace function public.clip_service_changes(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    with news as (
        select
            projects.id, asked.since, coalesce(sequence, 1) as sequence, coalesce(edited, 1) as edited
        from (
            select key::uuid as id, value::bigint as since from jsonb_each_text(payload -> 'since')
        ) as asked
        join public.projects using (id)
        left join clip_service.project_sequences on project_id = projects.id
        where coalesce(sequence, 1) > asked.since
    )
    select coalesce(jsonb_object_agg(news.id, jsonb_build_object(
        'sequence', news.sequence,
        'edited', news.edited,
        'cost_usd', (
            select coalesce(sum(cost_usd), 0) from clip_service.clips where project_id = news.id
        ),
        'clips', (
            select coalesce(jsonb_agg(to_jsonb(clips) || jsonb_build_object('sequence', changed.sequence)), '[]')
            from (
                select scene, max(sequence) as sequence from clip_service.clips
                where project_id = news.id and sequence > news.since
                group by scene
            ) as changed
            join clip_service.clip_places as places
                on places.project_id = news.id and places.scene = changed.scene and places.place = 1
            join clip_service.clips on clips.task_uuid = places.task_uuid
        )
    )), '{}')
    from news;
$$;

-- {limit}; gives the newest successful clips, newest first, without those that a person asked for again.
create or replace function public.clip_service_past_clips(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(past) - 'settled_at' order by past.settled_at desc), '[]') from (
        select
            request #>> '{settings,model}' as model,
            request #>> '{settings,resolution}' as resolution,
            (request #> '{settings,generate_audio}')::boolean as generate_audio,
            (request ->> 'duration_s')::integer as duration_s,
            extract(epoch from settled_at - submitted_at) as seconds,
            cost_usd,
            settled_at
        from clip_service.clips
        where status = 'succeeded' and reopened_at is null
        order by settled_at desc
        limit (payload ->> 'limit')::integer
    ) as past;
$$;

select clip_service.restrict_operations();

insert into clip_service.migrations (version) values ('20261122000004') on conflict do nothing;

notify pgrst, 'reload schema';
