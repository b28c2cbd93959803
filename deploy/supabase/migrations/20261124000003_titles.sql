-- The title of a project: that of its script, where this is the text of a JSON object, as in real projects.

-- What is left of a text without the white space around it, null if that is nothing. The characters are those that
-- Python's strip() takes off, so that both sides call the same texts blank.
create or replace function clip_service.stripped(words text) returns text
language sql immutable set search_path = ''
as $$
    select nullif(btrim(
        words,
        U&'\0009\000A\000B\000C\000D\001C\001D\001E\001F\0020\0085\00A0\1680\2000\2001\2002\2003\2004\2005\2006'
        || U&'\2007\2008\2009\200A\2028\2029\202F\205F\3000'
    ), '');
$$;

-- A text as the JSON object that it holds, null if it holds none; never an error.
create or replace function clip_service.json_object(words text) returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
    if not starts_with(words, '{') then
        return null;
    end if;
    return words::jsonb;
exception when others then
    return null;
end
$$;

-- A member of an object, if it is a text that is not blank.
create or replace function clip_service.text_member(object jsonb, name text) returns text
language sql immutable set search_path = ''
as $$
    select case jsonb_typeof(object -> name) when 'string' then clip_service.stripped(object ->> name) end;
$$;

-- The rule of `service/clips/titles.py`: the title or logline of a script that is an object, else the script; without
-- either, the description or visual_action of the first scene. The service cuts it to a line.
create or replace function clip_service.title(script text, scenes jsonb) returns text
language plpgsql stable set search_path = ''
as $$
declare
    words text := clip_service.stripped(script);
    told jsonb := clip_service.json_object(words);
    first_scene jsonb;
    chosen text;
begin
    if told is null then
        chosen := words;
    else
        chosen := coalesce(
            clip_service.text_member(told, 'title'), clip_service.text_member(told, 'logline')
        );
    end if;
    if chosen is null then
        select value into first_scene from clip_service.by_scene(scenes) where place = 1;
        chosen := coalesce(
            clip_service.text_member(first_scene, 'description'),
            clip_service.text_member(first_scene, 'visual_action')
        );
    end if;
    return coalesce(chosen, '');
end
$$;

revoke all on all functions in schema clip_service from public, anon, authenticated;
grant execute on function
    clip_service.stripped (text),
    clip_service.json_object (text),
    clip_service.text_member (jsonb, text),
    clip_service.title (text, jsonb)
to service_role;

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
                clip_service.title(script, scenes) as title,
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

select clip_service.restrict_operations();

insert into clip_service.migrations (version) values ('20261124000003') on conflict do nothing;

notify pgrst, 'reload schema';
