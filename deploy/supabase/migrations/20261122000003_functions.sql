-- The store's operations: one function each, so that each is one request and one transaction.
-- All take and give jsonb: a single value, which no limit of the API on rows cuts off.
-- Whatever writes clips locks their projects first, and projects by their id: so no two ever deadlock.

create or replace function public.clip_service_migrations() returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(version order by version), '[]') from clip_service.migrations;
$$;

-- {id, user_id, script, scenes, frames, input_image_url, audio_recording_url, now}; the id makes a repeat harmless.
create or replace function public.clip_service_create_project(payload jsonb) returns jsonb
language sql set search_path = ''
as $$
    insert into public.projects (
        id, user_id, script, scenes, frames, clips, input_image_url, audio_recording_url, created_at, updated_at
    )
    select
        (payload ->> 'id')::uuid,
        (payload ->> 'user_id')::uuid,
        payload ->> 'script',
        payload -> 'scenes',
        payload -> 'frames',
        '{}',
        payload ->> 'input_image_url',
        payload ->> 'audio_recording_url',
        (payload ->> 'now')::timestamptz,
        (payload ->> 'now')::timestamptz
    on conflict (id) do nothing;
    select payload -> 'id';
$$;

-- {id}; gives the project, or null. An older table may hold no times.
create or replace function public.clip_service_project(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select to_jsonb(found) from (
        select
            id, user_id, script, scenes, frames, clips, video_url, input_image_url, audio_recording_url,
            coalesce(created_at, updated_at, 'epoch') as created_at,
            coalesce(updated_at, created_at, 'epoch') as updated_at
        from public.projects
        where id = (payload ->> 'id')::uuid
    ) as found;
$$;

-- {project_id, fingerprints}; gives all clips that were ever made for these.
create or replace function public.clip_service_attempts(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(clips)), '[]')
    from clip_service.clips
    where project_id = (payload ->> 'project_id')::uuid
        and fingerprint in (select jsonb_array_elements_text(payload -> 'fingerprints'));
$$;

-- {project_id}; gives each scene's current clip.
create or replace function public.clip_service_current_clips(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(clips)), '[]')
    from clip_service.clips
    join clip_service.clip_places using (task_uuid)
    where clip_places.project_id = (payload ->> 'project_id')::uuid and clip_places.place = 1;
$$;

-- {task_uuids}; gives those clips that there are.
create or replace function public.clip_service_clips(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(clips)), '[]')
    from clip_service.clips
    where task_uuid in (select jsonb_array_elements_text(payload -> 'task_uuids'));
$$;

-- {project_id, clips, owner, now}; gives, in order, the clips as stored. A new one is stored only if nothing at its
-- fingerprint is pending or succeeded, and nobody was first with the attempt; else what stands there is given.
-- With an owner, only while that owner holds the project's lease: else the error is CL001.
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

    insert into clip_service.clips (
        task_uuid, project_id, scene, fingerprint, attempt, status, request, submitted_at,
        sends, last_sent_at, reopened_at, unknown_since, unknown_answers, video_url,
        failure_kind, failure_code, failure_message, cost_usd, settled_at, settled_by, version
    )
    select
        task_uuid, project, scene, fingerprint, attempt, status, request, submitted_at,
        sends, last_sent_at, reopened_at, unknown_since, unknown_answers, video_url,
        failure_kind, failure_code, failure_message, cost_usd, settled_at, settled_by, version
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
        order by status = 'succeeded' desc, status <> 'failed' desc, attempt
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
            reopened_at = changed.reopened_at,
            unknown_since = changed.unknown_since,
            unknown_answers = changed.unknown_answers,
            video_url = changed.video_url,
            failure_kind = changed.failure_kind,
            failure_code = changed.failure_code,
            failure_message = changed.failure_message,
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

-- {owner, now, leased_until, limit}; leases unsettled clips that nobody holds, oldest first, and gives them.
-- Rows that another claim or write has in hand are passed over, not waited for.
create or replace function public.clip_service_claim(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    moment timestamptz := (payload ->> 'now')::timestamptz;
    until timestamptz := (payload ->> 'leased_until')::timestamptz;
    claimed jsonb;
begin
    with free as (
        select task_uuid from clip_service.clips
        where status in ('submitting', 'pending')
            and (
                leased_until is null
                or leased_until <= moment
                -- No lease is twice as long as this one: a clock has been set back since that was given.
                or leased_until > moment + 2 * (until - moment)
            )
        order by submitted_at
        limit (payload ->> 'limit')::integer
        for update skip locked
    ),
    leased as (
        update clip_service.clips
        set lease_owner = payload ->> 'owner', leased_until = until
        from free
        where clips.task_uuid = free.task_uuid
        returning clips.*
    )
    select coalesce(jsonb_agg(to_jsonb(leased) order by submitted_at), '[]') into claimed from leased;
    return claimed;
end
$$;

-- {project_id, owner, now, leased_until}; gives whether the owner holds the project's lease from now on.
create or replace function public.clip_service_lease_project(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    moment timestamptz := (payload ->> 'now')::timestamptz;
    until timestamptz := (payload ->> 'leased_until')::timestamptz;
begin
    insert into clip_service.project_leases as held (project_id, owner, leased_until)
    values ((payload ->> 'project_id')::uuid, payload ->> 'owner', until)
    on conflict (project_id) do update
        set owner = excluded.owner, leased_until = excluded.leased_until
        where held.owner = excluded.owner
            or held.leased_until <= moment
            or held.leased_until > moment + 2 * (until - moment);
    return to_jsonb(found);
end
$$;

-- {project_id, owner}; gives the lease back.
create or replace function public.clip_service_release_project(payload jsonb) returns jsonb
language sql set search_path = ''
as $$
    delete from clip_service.project_leases
    where project_id = (payload ->> 'project_id')::uuid and owner = payload ->> 'owner';
    select 'true'::jsonb;
$$;

-- Supabase lets everyone call a new function in `public`; these are for the service alone.
create or replace function clip_service.restrict_operations() returns void
language plpgsql set search_path = ''
as $$
declare
    operation regprocedure;
begin
    for operation in
        select oid from pg_catalog.pg_proc
        where pronamespace = 'public'::regnamespace and proname like 'clip\_service\_%'
    loop
        execute format('revoke all on function %s from public, anon, authenticated', operation);
        execute format('grant execute on function %s to service_role', operation);
    end loop;
end
$$;
revoke all on function clip_service.restrict_operations () from public, anon, authenticated;

select clip_service.restrict_operations();

insert into clip_service.migrations (version) values ('20261122000003') on conflict do nothing;

notify pgrst, 'reload schema';
