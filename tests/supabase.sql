-- What a Supabase project's database has before any migration of the project runs.
-- Source of each part: supabase/postgres, migrations/db/init-scripts/00000000000000-initial-schema.sql, where no other is named.
-- Not here: supabase_admin and the extensions, since nothing of the service uses them. `postgres` is a superuser
-- here; on Supabase it is not one, but it bypasses row level security there too.

create publication supabase_realtime;
create schema extensions;

-- https://supabase.com/docs/guides/database/postgres/roles and https://docs.postgrest.org/en/v14/references/auth.html
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;

grant usage on schema public, extensions to anon, authenticated, service_role;

-- Whatever a migration makes in `public` is open to all three roles until it is revoked.
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;

-- https://supabase.com/docs/guides/database/postgres/timeouts: service_role has the authenticator's.
alter role authenticator set statement_timeout = '8s';
alter role authenticated set statement_timeout = '8s';
alter role anon set statement_timeout = '3s';

-- supabase/auth, migrations: what row level security policies ask.
create schema auth;
grant usage on schema auth to anon, authenticated, service_role;

create function auth.jwt() returns jsonb language sql stable
    return nullif(current_setting('request.jwt.claims', true), '')::jsonb;

create function auth.uid() returns uuid language sql stable
    return nullif(auth.jwt() ->> 'sub', '')::uuid;

create function auth.role() returns text language sql stable
    return auth.jwt() ->> 'role';

-- supabase/storage, migrations: what a bucket is. `postgres` may write it, and service_role passes its row level security.
create schema storage;
grant usage on schema storage to anon, authenticated, service_role;
create table storage.buckets (
    id text primary key,
    name text not null unique,
    owner uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    public boolean default false,
    avif_autodetection boolean default false,
    file_size_limit bigint,
    allowed_mime_types text[],
    owner_id text
);
alter table storage.buckets enable row level security;
grant all on storage.buckets to anon, authenticated, service_role;
