/* Why a clip is billed at most once and no end of it is undone, on one page. README.md is its guide.
 *
 * People ask for one clip, at any time, on either copy of the service. A copy is killed at any step, requests
 * and answers are lost or late, and a webhook comes at any time, as often as it likes.
 */
#define COPIES 2
#define ATTEMPTS 2 /* task UUIDs: a new one is bought only where all before it have failed */
#define SENDS 2 /* the most of one task UUID that may have been taken */
#define NOTHING 255

mtype:status = { NONE, SUBMITTING, NO_ROOM, PENDING, SUCCEEDED, PRESUMED, FAILED, WITHDRAWN };
mtype:outcome = { ACKNOWLEDGED, SUCCESS, REFUSAL, FAILURE, LOST, UNKNOWN, EXPIRED, NEVER_TAKEN, THROTTLED,
                  REOPENED, UNWANTED, ABSENT, UNCLEAR };
mtype:job = { NEVER, RUNNING, DONE, ENDED };

/* The ledger: a row an attempt. `sends` counts the requests that may have been taken. */
mtype:status status[ATTEMPTS] = NONE;
byte sends[ATTEMPTS];
byte has_read[COPIES] = NOTHING; /* the row that a copy has read and that nobody has changed since: its version */

/* Time: the grace since an attempt's last send is over; its half hour is over. */
bool graced[ATTEMPTS], over[ATTEMPTS];
byte sending[COPIES] = NOTHING;
byte astray[ATTEMPTS]; /* requests whose answer nobody awaits, and which may still arrive */

/* Runware. */
mtype:job job[ATTEMPTS] = NEVER;
bool refused[ATTEMPTS]; /* the archive's last response is a refusal */
bool missed[ATTEMPTS]; /* the archive has not shown a job that runs */
byte bills; /* jobs that run or have made a video */

#define ended(s) (s == SUCCEEDED || s == FAILED || s == WITHDRAWN)
#define may_come(t) (status[t] == SUBMITTING || status[t] == NO_ROOM || status[t] == PENDING || status[t] == SUCCEEDED)
#define something_stands (may_come(0) || may_come(1))
#define graced_at_last(t) ((status[t] == SUBMITTING || status[t] == NO_ROOM || status[t] == PENDING || status[t] == PRESUMED) && astray[t] == 0 && sending[0] != t && sending[1] != t)
#define is_billed(t) (job[t] == RUNNING || job[t] == DONE)

/* lifecycle.transition: what `told` makes of a row that was read as `saw` and `sent`. */
#define row(outcome, submitting, no_room, pending, presumed) :: told == outcome -> next = \
    (saw == SUBMITTING -> submitting : (saw == NO_ROOM -> no_room : (saw == PENDING -> pending : presumed)))
#define refusal (sent > 1 -> PRESUMED : FAILED) /* another send may have been taken */
inline transition() {
    if
    :: ended(saw) -> next = saw /* the first end wins */
    :: !ended(saw) && (told == EXPIRED || told == NEVER_TAKEN) && !over[t] -> next = saw
    :: else ->
        if /*             SUBMITTING                               NO_ROOM    PENDING    PRESUMED */
        row(ACKNOWLEDGED, PENDING,                                 PENDING,   PENDING,   PRESUMED)
        row(SUCCESS,      SUCCEEDED,                               SUCCEEDED, SUCCEEDED, SUCCEEDED)
        row(REFUSAL,      refusal,                                 refusal,   refusal,   refusal)
        row(FAILURE,      FAILED,                                  FAILED,    FAILED,    FAILED)
        row(LOST,         PRESUMED,                                PRESUMED,  PRESUMED,  PRESUMED)
        row(UNKNOWN,      (sent < SENDS || !graced[t] -> saw : PRESUMED), saw, PRESUMED, PRESUMED)
        row(EXPIRED,      PRESUMED,                                PRESUMED,  PRESUMED,  PRESUMED)
        row(NEVER_TAKEN,  SUBMITTING,                              FAILED,    PENDING,   PRESUMED)
        row(THROTTLED,    (sent > 1 -> SUBMITTING : NO_ROOM),      NO_ROOM,   PENDING,   PRESUMED)
        row(REOPENED,     SUBMITTING,                              NO_ROOM,   PENDING,   PENDING)
        row(UNWANTED,     (sent > 0 -> SUBMITTING : WITHDRAWN),    WITHDRAWN, PENDING,   PRESUMED)
        fi;
        sent = (told == THROTTLED && saw == SUBMITTING && sent > 0 -> sent - 1 : sent)
    fi
}

/* The row as it is read, with its version. */
inline read() { saw = status[t]; sent = sends[t]; has_read[_pid] = t }

/* Whether nobody has changed the row since it was read: the condition of each write. */
#define is_unchanged (has_read[_pid] == t)
inline write() {
    assert(!ended(status[t]) || status[t] == next); /* no end is undone */
    assert(!is_billed(t) || (next != FAILED && next != WITHDRAWN)); /* nothing that is paid for is given up */
    over[t] = over[t] && next != PRESUMED && !ended(next);
    graced[t] = graced[t] && next != NO_ROOM && !ended(next);
    status[t] = next;
    sends[t] = sent;
    has_read[0] = (has_read[0] == t -> NOTHING : has_read[0]);
    has_read[1] = (has_read[1] == t -> NOTHING : has_read[1])
}

/* A request comes to Runware, which takes no second one while the first runs, and one more after its end. */
inline arrives() {
    assert(sends[t] > 0 && status[t] != WITHDRAWN); /* the ledger knows of it */
    if
    :: job[t] == RUNNING || missed[t] -> refused[t] = false; told = ACKNOWLEDGED /* a conflict: it was taken */
    :: job[t] != RUNNING && !missed[t] -> job[t] = RUNNING; refused[t] = false; told = ACKNOWLEDGED;
        bills++; assert(bills <= 1); /* billed at most once */
        assert(status[t] != FAILED) /* nothing that is paid for is given up */
    :: refused[t] = true; told = REFUSAL
    :: job[t] == NEVER -> refused[t] = false; told = THROTTLED
    fi
}

/* Runware is asked. Its results may leave out any job; its archive, after the grace, only one that runs. */
inline look(ask_archive) {
    if
    :: told = UNCLEAR
    :: job[t] == RUNNING -> told = ACKNOWLEDGED
    :: job[t] == DONE -> told = SUCCESS
    :: job[t] == ENDED -> told = FAILURE
    :: !(ask_archive) -> told = (saw == PENDING -> UNKNOWN : ABSENT) /* unknown as often as it takes */
    :: (ask_archive) && refused[t] -> told = (sent > 1 -> LOST : REFUSAL) /* the last response, not the only one */
    :: (ask_archive) && !refused[t] && (job[t] == NEVER || !graced[t]) -> told = UNKNOWN
    :: saw == SUBMITTING && (ask_archive) && job[t] == RUNNING -> missed[t] = true; told = UNKNOWN
    fi
}

inline any() { if :: t = 0 :: t = 1 fi }
inline quit() {
    t = 0; sent = 0; asked = 0; saw = NONE; next = NONE; told = ABSENT;
    has_read[_pid] = NOTHING; sending[_pid] = NOTHING;
    goto free
}
inline learned() { sending[_pid] = NOTHING; saw = NONE; sent = 0; asked = 0; has_read[_pid] = NOTHING; goto settle }
#define or_killed :: atomic { quit() }

active [COPIES] proctype Copy() {
    byte t, sent, asked;
    mtype:status saw, next;
    mtype:outcome told;

free:
    atomic {
        any();
        if
        :: t = 0; goto generate
        :: job[t] == DONE && !ended(status[t]) -> told = SUCCESS; learned() /* by a webhook */
        :: job[t] == ENDED && !ended(status[t]) -> told = FAILURE; learned()
        :: status[t] == SUBMITTING || status[t] == NO_ROOM -> told = UNWANTED; learned() /* by a person */
        :: status[t] != NONE && !ended(status[t]) -> read() /* for the poller, or check-clips-status */
        :: else -> quit()
        fi
    };
    if
    :: atomic { look(saw == SUBMITTING && graced[t]);
        if
        :: told == ABSENT || told == UNCLEAR -> quit() /* they prove nothing */
        :: told != ABSENT && told != UNCLEAR -> learned()
        :: graced[t] && !over[t] && sent < SENDS && ((saw == SUBMITTING && told == UNKNOWN)
            || (saw == NO_ROOM && told != ACKNOWLEDGED && told != SUCCESS)) -> told = ABSENT; goto send
        :: over[t] && saw != PRESUMED && told != SUCCESS && told != FAILURE && told != REFUSAL && told != LOST ->
            told = (saw == NO_ROOM -> NEVER_TAKEN : EXPIRED); learned()
        fi }
    or_killed
    fi;

generate: /* A person asks for the clip, for the first time or again. */
    atomic {
        t = 0;
        do /* up to an attempt that is in doubt, or the new one */
        :: t < ATTEMPTS && status[t] != NONE && (status[t] != PRESUMED || asked & (1 << t)) -> t++
        :: else -> break
        od;
        if
        :: something_stands || t == ATTEMPTS -> quit()
        :: !something_stands && t < ATTEMPTS && status[t] == NONE -> goto record
        :: else -> read()
        fi
    };
    if /* two looks, of which the first may find nothing by mistake */
    :: skip
    :: atomic { look(graced[t]); if :: told == UNKNOWN :: told != UNKNOWN -> goto found fi }
    or_killed
    fi;
    if
    :: atomic { look(graced[t]);
found:  if
        :: told == UNKNOWN -> told = ABSENT; asked = asked | (1 << t); t = 0; sent = 0; saw = NONE; has_read[_pid] = NOTHING; goto generate /* nobody has it */
        :: told == ACKNOWLEDGED -> told = REOPENED; learned()
        :: told == SUCCESS || told == FAILURE || told == REFUSAL -> learned()
        :: told == UNCLEAR || told == LOST || told == ABSENT -> quit() /* in doubt: nothing is bought now */
        fi }
    or_killed
    fi;

record: /* The ledger before the money: only where nothing stands, and nobody was first with the attempt. */
    atomic {
        if
        :: something_stands || status[t] != NONE -> quit()
        :: else -> status[t] = SUBMITTING; asked = 0; read()
        fi
    };

send: /* And the send before the request. */
    atomic {
        if
        :: is_unchanged -> next = SUBMITTING; sent++; write(); sending[_pid] = t; graced[t] = false;
                saw = NONE; sent = 0; next = NONE
        :: else -> quit()
        fi
    };
    if
    :: atomic { arrives(); if :: learned() :: quit() /* the answer is lost */ fi }
    :: atomic { astray[t]++; quit() }
    or_killed
    fi;

settle: /* What was learned, by whichever way: read, decided and written in one step, since who lost reads again. */
    atomic {
        read();
        transition();
        if
        :: next != saw || sent != sends[t] -> write()
        :: else
        fi;
        quit()
    }
}

active proctype World() {
    byte t;
    mtype:outcome told;
end:
    do
    :: atomic {
        any();
        if
        :: astray[t] > 0 -> astray[t]--; if :: arrives() :: skip fi
        :: job[t] == RUNNING -> job[t] = DONE
        :: job[t] == RUNNING -> job[t] = ENDED; bills--
        :: graced_at_last(t) -> graced[t] = true
        :: status[t] == SUBMITTING || status[t] == NO_ROOM || status[t] == PENDING -> over[t] = true
        :: else
        fi;
        told = ABSENT; t = 0
    }
    od
}
