-- Pages of the list of projects, by words of the title and by how a project stands.
-- The release before works with it: it asks for no page, and gets the newest projects as ever.

do $$
begin
    if to_regtype('clip_service.project_state') is null then
        create type clip_service.project_state as enum ('generating', 'failed', 'done', 'idle');
    end if;
end
$$;

-- What the list is filtered and sorted by: narrow rows, with an index for each way to ask. A table of its own, which the
-- API does not expose: a column of `projects` would make each state a change that Realtime tells of.
create table if not exists clip_service.listed_projects (
    project_id uuid primary key references public.projects (id) on delete cascade,
    user_id uuid,
    created_at timestamptz not null,
    state clip_service.project_state not null,
    title text not null
);
create index if not exists listed_by_age on clip_service.listed_projects (created_at, project_id);
create index if not exists listed_by_state on clip_service.listed_projects (state, created_at, project_id);
create index if not exists listed_by_owner on clip_service.listed_projects (user_id, created_at, project_id);
create index if not exists listed_by_owner_and_state
    on clip_service.listed_projects (user_id, state, created_at, project_id);
alter table clip_service.listed_projects enable row level security;
revoke all on clip_service.listed_projects from public, anon, authenticated;
grant select on clip_service.listed_projects to service_role;

-- As before, but for digits of other scripts: they are no numbers, and no error in a trigger either.
create or replace function clip_service.by_scene(mapping jsonb)
returns table (scene text, value jsonb, place bigint)
language sql immutable set search_path = ''
as $$
    select key, value, row_number() over (
        order by case when key ~ '^[0-9]{1,9}$' then key::integer else 2147483647 end, key
    )
    from jsonb_each(case jsonb_typeof(mapping) when 'object' then mapping else '{}' end);
$$;

-- The characters that Python's strip() takes off and split() splits at.
create or replace function clip_service.white_space() returns text
language sql immutable set search_path = ''
as $$
    select U&'\0009\000A\000B\000C\000D\001C\001D\001E\001F\0020\0085\00A0\1680\2000\2001\2002\2003\2004\2005\2006'
        || U&'\2007\2008\2009\200A\2028\2029\202F\205F\3000';
$$;

-- What is left of a text without the white space around it, null if that is nothing.
create or replace function clip_service.stripped(words text) returns text
language sql immutable set search_path = ''
as $$
    select nullif(btrim(words, clip_service.white_space()), '');
$$;

-- One line of at most 160 characters, as `titles.title_line` makes it.
create or replace function clip_service.title_line(words text) returns text
language sql immutable set search_path = ''
as $$
    select coalesce(rtrim(left(regexp_replace(
        clip_service.stripped(words), '[' || clip_service.white_space() || ']+', ' ', 'g'
    ), 160)), '');
$$;

-- A text in which upper and lower case are the same, as `listing.title_matches` compares them.
create or replace function clip_service.folded(words text) returns text
language sql stable set search_path = ''
as $$
    select translate(lower(words), U&'\03C2\0307', U&'\03C3');
$$;

-- The rule of `listing.state_of`. Without a clip in the ledger the column is all that is known.
create or replace function clip_service.project_state(project public.projects) returns clip_service.project_state
language plpgsql stable set search_path = ''
as $$
declare
    pending bigint;
    failed bigint;
    videos bigint;
begin
    select
        count(*) filter (where value = '"pending"'),
        count(*) filter (where value = '"failed"'),
        count(*) filter (where value not in ('"pending"', '"failed"'))
    into pending, failed, videos
    from jsonb_each(case jsonb_typeof(project.clips) when 'object' then project.clips else '{}' end)
    where jsonb_typeof(value) = 'string';
    if pending > 0 then
        return 'generating';
    end if;
    if failed > 0 then
        return 'failed';
    end if;
    if videos = 0 then
        return 'idle';
    end if;
    if exists (select 1 from clip_service.clips where project_id = project.id and not superseded) and videos <> (
        select count(*) from (
            select scene from clip_service.by_scene(project.frames)
            union select scene from clip_service.by_scene(project.scenes)
            union select scene from clip_service.clips where project_id = project.id and not superseded
        ) as scenes
    )
    then
        return 'idle';
    end if;
    return 'done';
end
$$;

-- It runs with its owner's rights, as users may write a project without any right on the list. An older table may hold no times.
create or replace function clip_service.list_project() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    moment timestamptz := coalesce(new.created_at, new.updated_at, 'epoch');
    standing clip_service.project_state := clip_service.project_state(new);
begin
    if tg_op = 'INSERT' then
        insert into clip_service.listed_projects (project_id, user_id, created_at, state, title)
        values (
            new.id, new.user_id, moment, standing, clip_service.title_line(clip_service.title(new.script, new.scenes))
        )
        on conflict do nothing;
        return null;
    end if;
    update clip_service.listed_projects as listed
    set user_id = new.user_id, created_at = coalesce(new.created_at, listed.created_at), state = standing
    where project_id = new.id
        and (listed.user_id, listed.created_at, listed.state)
        is distinct from (new.user_id, coalesce(new.created_at, listed.created_at), standing);
    return null;
end
$$;

create or replace function clip_service.retitle_project() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update clip_service.listed_projects
    set title = clip_service.title_line(clip_service.title(new.script, new.scenes))
    where project_id = new.id;
    return null;
end
$$;

create or replace trigger clip_service_list_new_project after insert on public.projects
    for each row execute function clip_service.list_project();
create or replace trigger clip_service_list_project
    after update of user_id, created_at, clips, scenes, frames on public.projects
    for each row execute function clip_service.list_project();
create or replace trigger clip_service_retitle_project after update of script, scenes on public.projects
    for each row when ((old.script, old.scenes) is distinct from (new.script, new.scenes))
    execute function clip_service.retitle_project();

-- All that were there before. The triggers' lock keeps others from adding any until this is committed.
insert into clip_service.listed_projects (project_id, user_id, created_at, state, title)
select
    projects.id,
    projects.user_id,
    coalesce(projects.created_at, projects.updated_at, 'epoch'),
    clip_service.project_state(projects),
    clip_service.title_line(clip_service.title(projects.script, projects.scenes))
from public.projects
on conflict do nothing;

revoke all on all functions in schema clip_service from public, anon, authenticated;
grant execute on function
    clip_service.white_space (),
    clip_service.stripped (text),
    clip_service.folded (text)
to service_role;

-- {limit, user_id, words, state, after, thumbnails}; gives up to so many projects, newest first, with what a list shows
-- of each: title, at most so many thumbnails, counts, cost. Those of one owner or, where user_id is null, of all; whose
-- title has all of the words; of the state; after the place {created_at, id}. What is null or missing is not asked for.
create or replace function public.clip_service_projects(payload jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    conditions text := 'true';
    page uuid[];
begin
    -- Only what is asked for is in the query, so that each way to ask has its index: a plan that is kept for all of
    -- them would read every row.
    if payload ->> 'user_id' is not null then
        conditions := conditions || ' and user_id = ($1 ->> ''user_id'')::uuid';
    end if;
    if payload ->> 'state' is not null then
        conditions := conditions || ' and state = ($1 ->> ''state'')::clip_service.project_state';
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

insert into clip_service.migrations (version) values ('20261124000005') on conflict do nothing;

notify pgrst, 'reload schema';
