-- What a refusal for the moment leaves behind, the words of the model's provider, and the guard against outdated calls.
-- The release before works with it: it sends nothing of the new columns, and reads none.

alter table clip_service.clips add column if not exists throttled integer not null default 0;
alter table clip_service.clips add column if not exists send_after timestamptz;
alter table clip_service.clips add column if not exists failure_detail text;

-- Two that succeeded in the same moment have an order, too.
create or replace view clip_service.clip_places with (security_invoker = true) as
select
    project_id,
    scene,
    task_uuid,
    status,
    video_url,
    row_number() over (
        partition by project_id, scene
        order by
            status = 'succeeded' desc,
            case when status = 'succeeded' then settled_at end,
            case when status = 'succeeded' then attempt end,
            status <> 'failed' desc,
            attempt desc
    ) as place
from clip_service.clips
where not superseded;

-- {id}; gives the project with what was chosen for it and the number of its last edit, or null. An older table may
-- hold no times.
create or replace function public.clip_service_project(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select to_jsonb(found) from (
        select
            id, user_id, script, scenes, frames, clips, video_url, input_image_url, audio_recording_url,
            coalesce(created_at, updated_at, 'epoch') as created_at,
            coalesce(updated_at, created_at, 'epoch') as updated_at,
            choices.model, choices.resolution, choices.audio,
            coalesce(project_sequences.edited, 1) as edited
        from public.projects
        left join clip_service.choices on choices.project_id = projects.id
        left join clip_service.project_sequences on project_sequences.project_id = projects.id
        where id = (payload ->> 'id')::uuid
    ) as found;
$$;

-- {project_id, clips, edited, owner, now}; gives, in order, the clips as stored. A new one is stored only if nothing at its
-- fingerprint is pending or succeeded, and nobody was first with the attempt; else what stands there is given.
-- With an owner, only while that owner holds the project's lease: else the error is CL001. With the number of an edit,
-- only while that is the project's last one: else the error is CL002. The release before sends no such number.
create or replace function public.clip_service_record(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    project uuid := (payload ->> 'project_id')::uuid;
    recorded jsonb;
begin
    perform set_config('clip_service.now', payload ->> 'now', true);
    perform 1 from public.projects where id = project for no key update;
    if payload ->> 'owner' is not null and not exists (
        select 1 from clip_service.project_leases
        where project_id = project and owner = payload ->> 'owner'
        for update
    ) then
        raise exception 'the lease on project % is gone', project using errcode = 'CL001';
    end if;

    -- The lock on the project's row keeps edits waiting from here on.
    if exists (
        select 1 from clip_service.project_sequences
        where project_id = project and edited > (payload ->> 'edited')::bigint
    ) then
        raise exception 'project % was edited since', project using errcode = 'CL002';
    end if;

    insert into clip_service.clips (
        task_uuid, project_id, scene, fingerprint, attempt, status, request, submitted_at,
        sends, last_sent_at, throttled, send_after, reopened_at, unknown_since, unknown_answers, video_url,
        failure_kind, failure_code, failure_message, failure_detail, cost_usd, settled_at, settled_by, version
    )
    select
        task_uuid, project, scene, fingerprint, attempt, status, request, submitted_at,
        sends, last_sent_at, coalesce(throttled, 0), send_after, reopened_at, unknown_since, unknown_answers,
        video_url, failure_kind, failure_code, failure_message, failure_detail, cost_usd, settled_at, settled_by,
        version
    from jsonb_populate_recordset(null::clip_service.clips, payload -> 'clips') as chosen
    where not exists (
        select 1 from clip_service.clips as standing
        where standing.fingerprint = chosen.fingerprint and standing.status <> 'failed'
    )
    on conflict do nothing;

    select coalesce(jsonb_agg(to_jsonb(standing) order by chosen.position), '[]') into recorded
    from jsonb_array_elements(payload -> 'clips') with ordinality as chosen (clip, position)
    cross join lateral (
        select * from clip_service.clips
        where fingerprint = chosen.clip ->> 'fingerprint'
            and (attempt = (chosen.clip ->> 'attempt')::integer or status <> 'failed')
        order by
            status = 'succeeded' desc,
            case when status = 'succeeded' then settled_at end,
            case when status = 'succeeded' then attempt end,
            status <> 'failed' desc,
            attempt desc
        limit 1
    ) as standing;

    update clip_service.clips
    set superseded = not superseded
    from jsonb_array_elements(payload -> 'clips') as chosen (clip)
    where project_id = project
        and scene = chosen.clip ->> 'scene'
        and superseded <> (fingerprint <> chosen.clip ->> 'fingerprint');

    return recorded;
end
$$;

-- {clips, write_id, now}; stores what changes in a clip's life, for each only if its version is still the stored one.
-- Gives the task UUIDs of those that were stored; of a call that is repeated, also what it stored the first time.
create or replace function public.clip_service_save(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    saved jsonb;
begin
    perform set_config('clip_service.now', payload ->> 'now', true);
    -- A project that somebody holds for long must not keep the results of all others waiting.
    perform set_config('lock_timeout', '2s', true);
    perform 1 from public.projects
    where id in (
        select clips.project_id
        from jsonb_array_elements(payload -> 'clips') as changed (clip)
        join clip_service.clips on clips.task_uuid = changed.clip ->> 'task_uuid'
    )
    order by id
    for no key update;

    with stored as (
        update clip_service.clips
        set
            status = changed.status,
            sends = changed.sends,
            last_sent_at = changed.last_sent_at,
            throttled = coalesce(changed.throttled, clips.throttled),
            send_after = changed.send_after,
            reopened_at = changed.reopened_at,
            unknown_since = changed.unknown_since,
            unknown_answers = changed.unknown_answers,
            video_url = changed.video_url,
            failure_kind = changed.failure_kind,
            failure_code = changed.failure_code,
            failure_message = changed.failure_message,
            failure_detail = changed.failure_detail,
            cost_usd = changed.cost_usd,
            settled_at = changed.settled_at,
            settled_by = changed.settled_by,
            version = changed.version + 1,
            write_id = payload ->> 'write_id'
        from jsonb_populate_recordset(null::clip_service.clips, payload -> 'clips') as changed
        where clips.task_uuid = changed.task_uuid
            and (
                clips.version = changed.version
                or (clips.version = changed.version + 1 and clips.write_id = payload ->> 'write_id')
            )
            -- Nothing is sent for which a video has come meanwhile.
            and (
                changed.sends = clips.sends
                or not exists (
                    select 1 from clip_service.clips as done
                    where done.fingerprint = clips.fingerprint and done.status = 'succeeded'
                )
            )
        returning clips.task_uuid
    )
    select coalesce(jsonb_agg(task_uuid), '[]') into saved from stored;
    return saved;
end
$$;

-- {limit}; gives the newest successful clips, newest first, without those that a person asked for again.
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
        where status = 'succeeded' and reopened_at is null
        order by settled_at desc, task_uuid
        limit (payload ->> 'limit')::integer
    ) as past;
$$;

select clip_service.restrict_operations();

insert into clip_service.migrations (version) values ('20261124000002') on conflict do nothing;

notify pgrst, 'reload schema';
