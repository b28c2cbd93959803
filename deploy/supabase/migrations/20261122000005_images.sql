-- The bucket of the frames that people upload. One that is there already stays as it is.

do $$
begin
    if to_regclass('storage.buckets') is null then
        -- A Postgres without Supabase's storage: everything but uploads works.
        return;
    end if;
    -- Public, since Runware and browsers fetch frames by their URLs alone; nobody guesses the names.
    insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
    values ('images', 'images', true, 10485760, array['image/png', 'image/jpeg', 'image/webp'])
    on conflict do nothing;
end
$$;

insert into clip_service.migrations (version) values ('20261122000005') on conflict do nothing;
