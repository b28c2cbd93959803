-- The web application's own table: made where there is none, completed where it is older. No data is changed.

create schema if not exists clip_service;

-- Each migration enters itself here, however it is applied, so that the service can tell what is missing.
create table if not exists clip_service.migrations (
    version text primary key,
    applied_at timestamptz not null default now()
);

do $$
begin
    if to_regclass('public.projects') is not null then
        -- Whoever made it has decided who may read and write it.
        return;
    end if;
    create table public.projects (
        id uuid primary key default gen_random_uuid(),
        user_id uuid default (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
    );
    alter table public.projects enable row level security;
    create policy "A project is its owner's" on public.projects
        for all to authenticated
        using (user_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid))
        with check (
            user_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid)
        );
    revoke all on public.projects from anon;
    grant select, insert, update, delete on public.projects to authenticated;
end
$$;

alter table public.projects
    add column if not exists user_id uuid,
    add column if not exists script text,
    add column if not exists scenes jsonb,
    add column if not exists frames jsonb,
    add column if not exists clips jsonb default '{}',
    add column if not exists video_url text,
    add column if not exists input_image_url text,
    add column if not exists audio_recording_url text,
    add column if not exists created_at timestamptz not null default now(),
    add column if not exists updated_at timestamptz not null default now();

grant select, insert, update on public.projects to service_role;

create index if not exists clip_service_projects_by_age on public.projects (created_at desc);
create index if not exists clip_service_projects_by_owner on public.projects (user_id, created_at desc);

-- Supabase Realtime tells browsers of changes to the tables in this publication.
do $$
begin
    if exists (select 1 from pg_publication where pubname = 'supabase_realtime' and not puballtables)
        and not exists (
            select 1 from pg_publication_tables
            where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'projects'
        )
    then
        alter publication supabase_realtime add table public.projects;
    end if;
end
$$;

insert into clip_service.migrations (version) values ('20261122000001') on conflict do nothing;
