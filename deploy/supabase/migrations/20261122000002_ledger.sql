-- The ledger of clips, and projects.clips as its projection.
-- Its schema is not one that the API exposes, so that only the functions of the next migration lead to it.

do $$
begin
    if to_regtype('clip_service.clip_status') is null then
        create type clip_service.clip_status as enum ('submitting', 'pending', 'succeeded', 'failed');
    end if;
    if to_regtype('clip_service.failure_kind') is null then
        create type clip_service.failure_kind as enum (
            'rejected', 'safety', 'account', 'provider', 'timeout', 'lost', 'withdrawn'
        );
    end if;
    if to_regtype('clip_service.settled_by') is null then
        create type clip_service.settled_by as enum ('webhook', 'poll', 'check', 'submission', 'timeout');
    end if;
end
$$;

create table if not exists clip_service.clips (
    task_uuid text primary key,
    -- With its project a clip goes, too: the web application may delete projects.
    project_id uuid not null references public.projects (id) on delete cascade,
    scene text not null,
    fingerprint text not null,
    attempt integer not null check (attempt >= 1),
    status clip_service.clip_status not null,
    request jsonb not null,
    submitted_at timestamptz not null,
    sends integer not null,
    last_sent_at timestamptz,
    reopened_at timestamptz,
    unknown_since timestamptz,
    unknown_answers integer not null,
    video_url text,
    failure_kind clip_service.failure_kind,
    failure_code text,
    failure_message text,
    cost_usd numeric,
    settled_at timestamptz,
    settled_by clip_service.settled_by,
    version integer not null,
    -- Which call of the store made this version.
    write_id text,
    superseded boolean not null default false,
    lease_owner text,
    leased_until timestamptz,
    unique (fingerprint, attempt),
    check ((status = 'succeeded') = (video_url is not null)),
    check ((status = 'failed') = (failure_kind is not null))
);
create index if not exists clips_by_project on clip_service.clips (project_id, scene);
create index if not exists clips_unsettled on clip_service.clips (submitted_at)
    where status in ('submitting', 'pending');

-- What projects.clips held before the ledger took over: links to videos that the replaced functions have paid for.
create table if not exists clip_service.earlier_clips (
    project_id uuid primary key references public.projects (id) on delete cascade,
    clips jsonb not null,
    kept_at timestamptz not null default now()
);

-- While a call asks Runware what became of a project's earlier jobs, no other may buy for that project.
create table if not exists clip_service.project_leases (
    project_id uuid primary key references public.projects (id) on delete cascade,
    owner text not null,
    leased_until timestamptz not null
);

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
            status <> 'failed' desc,
            attempt desc
    ) as place
from clip_service.clips
where not superseded;

-- The value of projects.clips, or null for a project of which the ledger knows nothing.
create or replace function clip_service.projection(project uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_object_agg(
        task_uuid, case status when 'succeeded' then video_url when 'failed' then 'failed' else 'pending' end
    )
    from clip_service.clip_places
    where project_id = project and place = 1;
$$;

-- By its owner's rights: clips go with a deleted project, too, and then whoever deletes it fires this (until Postgres
-- 17; from 18 on the owner of the clips), who has none in this schema.
create or replace function clip_service.project_clips() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    changed uuid[];
    -- The service says by which clock it writes; others write by the database's.
    moment timestamptz := coalesce(nullif(current_setting('clip_service.now', true), '')::timestamptz, now());
begin
    if tg_op = 'UPDATE' then
        -- A lease or a mere count shows in no projection. No join: its plan, made for a single clip and kept, would be
        -- quadratic for thousands.
        select array_agg(distinct project_id) into changed
        from (
            select task_uuid, project_id, status, video_url, superseded from clips_after
            except
            select task_uuid, project_id, status, video_url, superseded from clips_before
        ) as shown;
    elsif tg_op = 'INSERT' then
        select array_agg(distinct project_id) into changed from clips_after;
    else
        select array_agg(distinct project_id) into changed from clips_before;
    end if;
    if changed is null then
        return null;
    end if;
    -- First the lock, then, by a statement of its own, the look: it sees what others committed meanwhile.
    perform 1 from public.projects where id = any (changed) order by id for no key update;
    insert into clip_service.earlier_clips (project_id, clips)
    select id, clips from public.projects
    where id = any (changed)
        and clips <> '{}'
        and not exists (
            select 1 from clip_service.clips as known
            where known.project_id = projects.id and projects.clips ? known.task_uuid
        )
    on conflict do nothing;
    update public.projects
    set clips = projected.clips, updated_at = greatest(projects.updated_at, moment)
    from (select id, clip_service.projection(id) as clips from unnest(changed) as id) as projected
    where projects.id = projected.id
        and projected.clips is not null
        and projects.clips is distinct from projected.clips;
    return null;
end
$$;

create or replace trigger project_inserted_clips after insert on clip_service.clips
    referencing new table as clips_after
    for each statement execute function clip_service.project_clips();
create or replace trigger project_updated_clips after update on clip_service.clips
    referencing old table as clips_before new table as clips_after
    for each statement execute function clip_service.project_clips();
create or replace trigger project_deleted_clips after delete on clip_service.clips
    referencing old table as clips_before
    for each statement execute function clip_service.project_clips();

-- Whoever saves a whole project with an outdated `clips` does not undo what the ledger knows.
create or replace function clip_service.keep_projection() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    new.clips := coalesce(clip_service.projection(new.id), new.clips);
    return new;
end
$$;

create or replace trigger clip_service_keep_projection before update of clips on public.projects
    for each row when (pg_trigger_depth() = 0 and new.clips is distinct from old.clips)
    execute function clip_service.keep_projection();

alter table clip_service.migrations enable row level security;
alter table clip_service.clips enable row level security;
alter table clip_service.earlier_clips enable row level security;
alter table clip_service.project_leases enable row level security;

revoke all on schema clip_service from public, anon, authenticated;
revoke all on all tables in schema clip_service from public, anon, authenticated;
revoke all on all functions in schema clip_service from public, anon, authenticated;
grant usage on schema clip_service to service_role;
grant select on clip_service.migrations, clip_service.clip_places to service_role;
grant select, insert, update on clip_service.clips to service_role;
grant select, insert, update, delete on clip_service.project_leases to service_role;
grant execute on function clip_service.projection (uuid) to service_role;

insert into clip_service.migrations (version) values ('20261122000002') on conflict do nothing;
