-- A project that a user deletes, past the service, takes nothing out of what counts: a row for each of its clips stays, and
-- those that are under way by then still end in it, with what they cost.
-- The release before works with it: it meets clips of a project that is not there, as it does of a hidden one.

-- Clips under way stay without their project, so that they can't refer to it. `record` sees that new ones have one.
alter table clip_service.clips drop constraint if exists clips_project_id_fkey;

-- What was made, or will be, of a clip that goes or stays without its project: nothing of it is kept.
create or replace function clip_service.without_contents(request jsonb) returns jsonb
language sql immutable set search_path = ''
as $$
    select request || '{"prompt": "", "first_frame": "", "last_frame": ""}';
$$;

-- Whether nothing more can be learned about a clip. A failure that was only presumed may still become a video.
create or replace function clip_service.has_ended(clip clip_service.clips) returns boolean
language sql immutable set search_path = ''
as $$
    select clip.status = 'succeeded'
        or (clip.status = 'failed' and clip.failure_kind not in ('timeout', 'lost'));
$$;

-- By its owner's rights: whoever deletes a project has none in this schema. A clip that was never sent goes, so that
-- nothing is bought for it any more: it is marked as sent before it is.
create or replace function clip_service.keep_ledger() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into clip_service.deleted_clips (
        task_uuid, project_id, user_id, model, resolution, sound, seconds, status, cost_usd, submitted_at, settled_at
    )
    select
        task_uuid,
        project_id,
        old.user_id,
        request #>> '{settings,model}',
        request #>> '{settings,resolution}',
        (request #> '{settings,generate_audio}')::boolean,
        (request ->> 'duration_s')::integer,
        status,
        cost_usd,
        submitted_at,
        settled_at
    from clip_service.clips
    where project_id = old.id
    on conflict do nothing;
    delete from clip_service.clips
    where project_id = old.id and (clip_service.has_ended(clips) or (status = 'submitting' and sends = 0));
    -- One whose submission is unclear may have to be sent again.
    update clip_service.clips set request = clip_service.without_contents(request)
    where project_id = old.id and status <> 'submitting';
    return null;
end
$$;

-- The owner of its clips is known here, and need not be told afterwards.
drop trigger if exists clip_service_keep_owner on public.projects;
drop function if exists clip_service.keep_owner();
create or replace trigger clip_service_keep_ledger after delete on public.projects
    for each row execute function clip_service.keep_ledger();

-- What becomes of a clip whose project is not there any more.
create or replace function clip_service.follow_deleted_clip() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if exists (select 1 from public.projects where id = new.project_id) then
        return null;
    end if;
    update clip_service.deleted_clips
    set status = new.status, cost_usd = new.cost_usd, settled_at = new.settled_at
    where task_uuid = new.task_uuid;
    if clip_service.has_ended(new) then
        delete from clip_service.clips where task_uuid = new.task_uuid;
    elsif new.status <> 'submitting' then
        update clip_service.clips set request = clip_service.without_contents(request)
        where task_uuid = new.task_uuid;
    end if;
    return null;
end
$$;

create or replace trigger follow_deleted_clip after update on clip_service.clips
    for each row when ((old.status, old.cost_usd) is distinct from (new.status, new.cost_usd))
    execute function clip_service.follow_deleted_clip();

-- As before, but for a clip without a project: nobody watches it.
create or replace function clip_service.number_clip() returns trigger
language plpgsql set search_path = ''
as $$
begin
    if exists (select 1 from public.projects where id = new.project_id) then
        new.sequence := clip_service.next_sequence(new.project_id, false);
    end if;
    return new;
end
$$;

revoke all on all functions in schema clip_service from public, anon, authenticated;

insert into clip_service.migrations (version) values ('20261124000010') on conflict do nothing;

notify pgrst, 'reload schema';
