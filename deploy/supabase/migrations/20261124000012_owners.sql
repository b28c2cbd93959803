-- Another owner is an edit of the project: whoever may no longer read it and watches it is sent away.
-- The release before works with it: it reads the project anew, as after every edit.

create or replace trigger clip_service_number_owner after update of user_id on public.projects
    for each row when (old.user_id is distinct from new.user_id)
    execute function clip_service.number_edit();

insert into clip_service.migrations (version) values ('20261124000012') on conflict do nothing;
