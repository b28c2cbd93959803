-- What was made before the ledger can still end, and what a deleted project has cost is kept.

-- {project_id, ends, now}; writes ends ("failed" or a video's URL, by task UUID) into projects.clips of a project of
-- which the ledger has no clip, each only where the clip is "pending" by then. Gives whether any was written, which
-- then is an edit of the project.
create or replace function public.clip_service_save_earlier(payload jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    project uuid := (payload ->> 'project_id')::uuid;
    moment timestamptz := (payload ->> 'now')::timestamptz;
    found_ends jsonb;
begin
    -- First the lock, then, by statements of their own, the looks: the ledger records under this lock, too.
    perform 1 from public.projects where id = project for no key update;
    if exists (select 1 from clip_service.clips where project_id = project) then
        return 'false';
    end if;
    select jsonb_object_agg(ends.key, ends.value) into found_ends
    from jsonb_each(payload -> 'ends') as ends
    join public.projects on projects.id = project and projects.clips ->> ends.key = 'pending';
    if found_ends is null then
        return 'false';
    end if;
    update public.projects
    set clips = clips || found_ends, updated_at = greatest(updated_at, moment)
    where id = project;
    perform clip_service.next_sequence(project, true);
    return 'true';
end
$$;

-- A row for each clip that went with its project, without what was made: frames, prompt and video are gone. So nobody
-- gets around a limit by deleting projects. No foreign key: neither project nor user need be there any more.
create table if not exists clip_service.deleted_clips (
    task_uuid text primary key,
    project_id uuid not null,
    user_id uuid,
    model text,
    resolution text,
    sound boolean,
    seconds integer,
    status clip_service.clip_status not null,
    cost_usd numeric,
    submitted_at timestamptz not null,
    settled_at timestamptz,
    deleted_at timestamptz not null default now()
);
create index if not exists deleted_clips_by_project on clip_service.deleted_clips (project_id);
create index if not exists deleted_clips_by_user on clip_service.deleted_clips (user_id, submitted_at);
alter table clip_service.deleted_clips enable row level security;
revoke all on clip_service.deleted_clips from public, anon, authenticated;
grant select on clip_service.deleted_clips to service_role;

-- By its owner's rights, as in project_clips.
create or replace function clip_service.keep_cost() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into clip_service.deleted_clips (
        task_uuid, project_id, user_id, model, resolution, sound, seconds, status, cost_usd, submitted_at, settled_at
    )
    values (
        old.task_uuid,
        old.project_id,
        (select projects.user_id from public.projects where projects.id = old.project_id),
        old.request #>> '{settings,model}',
        old.request #>> '{settings,resolution}',
        (old.request #> '{settings,generate_audio}')::boolean,
        (old.request ->> 'duration_s')::integer,
        old.status,
        old.cost_usd,
        old.submitted_at,
        old.settled_at
    )
    on conflict do nothing;
    return old;
end
$$;

create or replace trigger keep_cost_of_deleted_clip before delete on clip_service.clips
    for each row execute function clip_service.keep_cost();

-- A clip that goes with its project goes after it, so that nobody can say then whose it was. This trigger comes after
-- those of the foreign keys, since triggers of one kind fire by name and theirs begin with RI.
create or replace function clip_service.keep_owner() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update clip_service.deleted_clips set user_id = old.user_id where project_id = old.id and user_id is null;
    return null;
end
$$;

create or replace trigger clip_service_keep_owner after delete on public.projects
    for each row when (old.user_id is not null)
    execute function clip_service.keep_owner();

revoke all on all functions in schema clip_service from public, anon, authenticated;

select clip_service.restrict_operations();

insert into clip_service.migrations (version) values ('20261124000004') on conflict do nothing;

notify pgrst, 'reload schema';
