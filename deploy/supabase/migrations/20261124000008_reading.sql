-- Whatever users write into their rows, past the service: reading it is no error, and bounded in bytes.
-- The release before works with it: it gets what it got, but for what is too long.

-- A time that every reader can hold. A row may say infinity, the year 20000, or one before Christ.
create or replace function clip_service.readable_time(moment timestamptz) returns timestamptz
language sql immutable set search_path = ''
as $$
    select least(greatest(moment, '1970-01-01 00:00:00+00'::timestamptz), '9998-12-31 00:00:00+00'::timestamptz);
$$;

-- A URL, or null for one that is longer than any that leads to an image (`frames.MAX_URL_BYTES`).
create or replace function clip_service.readable_url(url text) returns text
language sql immutable set search_path = ''
as $$
    select case when octet_length(url) <= 4096 then url end;
$$;

-- Clips as they are read. Frames and prompts of before they were bounded may have megabytes; a thousand of those are more
-- than one value holds. No function: as a view it costs a row nothing.
create or replace view clip_service.readable_clips with (security_invoker = true) as
select
    task_uuid,
    project_id,
    left(scene, 1000) as scene,
    fingerprint,
    attempt,
    status,
    case when octet_length(request::text) <= 65536 then request else request || jsonb_build_object(
        'scene', left(request ->> 'scene', 1000), 'first_frame', '', 'last_frame', '', 'prompt', ''
    ) end as request,
    submitted_at,
    sends,
    last_sent_at,
    throttled,
    send_after,
    reopened_at,
    unknown_since,
    unknown_answers,
    video_url,
    failure_kind,
    failure_code,
    failure_message,
    failure_detail,
    cost_usd,
    settled_at,
    settled_by,
    version,
    superseded,
    sequence,
    copied_from
from clip_service.clips;
revoke all on clip_service.readable_clips from public, anon, authenticated;
grant select on clip_service.readable_clips to service_role;

-- {project_id, fingerprints}; gives all clips that were ever made for these.
create or replace function public.clip_service_attempts(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(clips)), '[]')
    from clip_service.readable_clips as clips
    where project_id = (payload ->> 'project_id')::uuid
        and fingerprint in (select jsonb_array_elements_text(payload -> 'fingerprints'));
$$;

-- {project_id}; gives each scene's current clip.
create or replace function public.clip_service_current_clips(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(clips)), '[]')
    from clip_service.readable_clips as clips
    join clip_service.clip_places using (task_uuid)
    where clip_places.project_id = (payload ->> 'project_id')::uuid and clip_places.place = 1;
$$;

-- {project_id}; gives every clip that was ever recorded for it.
create or replace function public.clip_service_all_clips(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(clips)), '[]')
    from clip_service.readable_clips as clips
    where project_id = (payload ->> 'project_id')::uuid;
$$;

-- {task_uuids}; gives those clips that there are.
create or replace function public.clip_service_clips(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_agg(to_jsonb(clips)), '[]')
    from clip_service.readable_clips as clips
    where task_uuid in (select jsonb_array_elements_text(payload -> 'task_uuids'));
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
            join clip_service.readable_clips as clips on clips.task_uuid = places.task_uuid
        )
    )), '{}')
    from news;
$$;

-- {owner, now, leased_until, limit, brief}; leases unsettled clips that nobody holds, oldest first, and gives them; in
-- brief, without what asking about them does not need: frames and prompt.
-- Rows that another claim or write has in hand are passed over, not waited for.
create or replace function public.clip_service_claim(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    moment timestamptz := (payload ->> 'now')::timestamptz;
    until timestamptz := (payload ->> 'leased_until')::timestamptz;
    left_out text[] := case when (payload ->> 'brief')::boolean then '{first_frame,last_frame,prompt}' else '{}' end;
    claimed text[];
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
        returning clips.task_uuid
    )
    select array_agg(task_uuid) into claimed from leased;
    return (
        select coalesce(
            jsonb_agg(
                to_jsonb(clips) || jsonb_build_object('request', request - left_out) order by submitted_at
            ),
            '[]'
        )
        from clip_service.readable_clips as clips
        where task_uuid = any (claimed)
    );
end
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
    if not found then
        raise exception 'there is no project %', project using errcode = '23503';
    end if;
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
        select * from clip_service.readable_clips
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
                id,
                projects.user_id,
                -- Of a project in the ledger it is as long as that has scenes; of any other, as its writer likes.
                case
                    when counted.project_id is not null then projects.clips
                    when pg_column_size(projects.clips) > 32768 then '{}'
                    when octet_length(projects.clips::text) > 32768 then '{}'
                    else projects.clips
                end as clips,
                clip_service.readable_url(video_url) as video_url,
                clip_service.readable_url(input_image_url) as input_image_url,
                clip_service.readable_url(audio_recording_url) as audio_recording_url,
                listed_projects.created_at,
                listed_projects.deleted_at,
                clip_service.readable_time(coalesce(updated_at, projects.created_at, 'epoch')) as updated_at,
                title,
                jsonb_path_query_array(
                    listed_projects.thumbnails,
                    '$[0 to $most]',
                    jsonb_build_object('most', (payload ->> 'thumbnails')::integer - 1)
                ) as thumbnails,
                listed_projects.scene_count,
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

-- {id, max_bytes}; gives the project with what was chosen for it, the number of its last edit and when it was deleted, or
-- null. Its JSON comes as texts, so that one that nobody can parse is in nobody's way; and where all that a user may
-- write is larger, nothing of that comes, and `bytes` says how large it is (null: larger than a text should be).
create or replace function public.clip_service_project_texts(payload jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    stored public.projects;
    told jsonb := '{}';
    size bigint;
begin
    select * into stored from public.projects where id = (payload ->> 'id')::uuid;
    if not found then
        return null;
    end if;
    begin
        -- A number such as 1e99999 is short where it is stored, and 100,000 digits as a text.
        if exists (
            select 1 from (values (stored.scenes), (stored.frames), (stored.clips)) as columns (written)
            where jsonb_path_exists(
                written,
                'strict $.** ? (@ > 1e300 || @ < -1e300 || (@ > -1e-300 && @ < 1e-300 && @ <> 0))'
            )
        )
        then
            raise program_limit_exceeded;
        end if;
        told := jsonb_build_object(
            'script', stored.script,
            'scenes', stored.scenes::text,
            'frames', stored.frames::text,
            'clips', stored.clips::text,
            'video_url', stored.video_url,
            'input_image_url', stored.input_image_url,
            'audio_recording_url', stored.audio_recording_url
        );
        select coalesce(sum(octet_length(value)), 0) into size from jsonb_each_text(told);
    exception when program_limit_exceeded then
        size := null;
    end;
    if size is null or size > (payload ->> 'max_bytes')::bigint then
        told := '{}';
    end if;
    return told || (
        select to_jsonb(shown) from (
            select
                stored.id,
                stored.user_id,
                size as bytes,
                clip_service.readable_time(coalesce(stored.created_at, stored.updated_at, 'epoch')) as created_at,
                clip_service.readable_time(coalesce(stored.updated_at, stored.created_at, 'epoch')) as updated_at,
                choices.model, choices.resolution, choices.audio,
                coalesce(project_sequences.edited, 1) as edited,
                listed_projects.deleted_at
            from (values (stored.id)) as asked (id)
            left join clip_service.choices on choices.project_id = asked.id
            left join clip_service.project_sequences on project_sequences.project_id = asked.id
            left join clip_service.listed_projects on listed_projects.project_id = asked.id
        ) as shown
    );
end
$$;

-- The release before reads this one.
create or replace function public.clip_service_project(payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
    select to_jsonb(found) from (
        select
            id, projects.user_id, script, scenes, frames, clips, video_url, input_image_url, audio_recording_url,
            clip_service.readable_time(coalesce(projects.created_at, updated_at, 'epoch')) as created_at,
            clip_service.readable_time(coalesce(updated_at, projects.created_at, 'epoch')) as updated_at,
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

-- What a list shows of a project's scenes is kept with the rest of what it reads: to take it out of a project of megabytes
-- again for each list took longer than a statement may. Writers wait until all rows have it.
lock table public.projects in share row exclusive mode;
alter table clip_service.listed_projects add column if not exists scene_count bigint not null default 0;
alter table clip_service.listed_projects add column if not exists thumbnails jsonb not null default '[]';

-- The first six frames that a list can show.
create or replace function clip_service.thumbnails(frames jsonb) returns jsonb
language sql immutable set search_path = ''
as $$
    select coalesce(jsonb_agg(url order by place, first_or_last), '[]') from (
        select place, first_or_last, url
        from clip_service.by_scene(frames),
            lateral (
                values
                    (1, clip_service.readable_url(value ->> 'first_frame')),
                    (2, clip_service.readable_url(value ->> 'last_frame'))
            ) as ends (first_or_last, url)
        where url <> ''
        order by place, first_or_last
        limit 6
    ) as urls;
$$;

-- How many scenes a project has: keys of either column, and those that have clips.
create or replace function clip_service.scene_count(project public.projects) returns bigint
language sql stable set search_path = ''
as $$
    select count(*) from (
        select jsonb_object_keys(case jsonb_typeof(project.frames) when 'object' then project.frames else '{}' end)
        union
        select jsonb_object_keys(case jsonb_typeof(project.scenes) when 'object' then project.scenes else '{}' end)
        union
        select scene from clip_service.clips where project_id = project.id and not superseded
    ) as keys;
$$;

-- It runs with its owner's rights, as users may write a project without any right on the list. An older table may hold no times.
create or replace function clip_service.list_project() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    moment timestamptz := clip_service.readable_time(coalesce(new.created_at, new.updated_at, 'epoch'));
    standing clip_service.project_state := clip_service.project_state(new);
    counted bigint := clip_service.scene_count(new);
begin
    if tg_op = 'INSERT' then
        insert into clip_service.listed_projects (project_id, user_id, created_at, state, title, scene_count, thumbnails)
        values (
            new.id, new.user_id, moment, standing, clip_service.title_line(clip_service.title(new.script, new.scenes)),
            counted, clip_service.thumbnails(new.frames)
        )
        on conflict do nothing;
        return null;
    end if;
    if new.created_at is null then
        select created_at into moment from clip_service.listed_projects where project_id = new.id;
    end if;
    update clip_service.listed_projects as listed
    set user_id = new.user_id, created_at = moment, state = standing, scene_count = counted
    where project_id = new.id
        and (listed.user_id, listed.created_at, listed.state, listed.scene_count)
        is distinct from (new.user_id, moment, standing, counted);
    if new.frames is distinct from old.frames then
        update clip_service.listed_projects set thumbnails = clip_service.thumbnails(new.frames)
        where project_id = new.id;
    end if;
    return null;
end
$$;

-- All that were there before.
update clip_service.listed_projects as listed
set
    created_at = clip_service.readable_time(listed.created_at),
    scene_count = clip_service.scene_count(projects),
    thumbnails = clip_service.thumbnails(projects.frames)
from public.projects
where projects.id = listed.project_id;

revoke all on all functions in schema clip_service from public, anon, authenticated;
grant execute on function
    clip_service.readable_time(timestamptz),
    clip_service.readable_url(text)
to service_role;

select clip_service.restrict_operations();

insert into clip_service.migrations (version) values ('20261124000008') on conflict do nothing;

notify pgrst, 'reload schema';
