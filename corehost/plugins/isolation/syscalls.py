"""The system calls that a confined process may not make, by number."""

from __future__ import annotations

import functools
from typing import Final, Literal

Machine = Literal["x86_64", "aarch64"]

LAST_KNOWN: Final = 462
"""What the kernel has learned since (467 calls and counting) does not exist for a confined process."""

# Each line: name, number on x86_64, number on aarch64 ("-" where it has none).
_DENIED: Final = """
# Other processes: look into them, make them, replace or signal them.
ptrace 101 117 | process_vm_readv 310 270 | process_vm_writev 311 271 | process_madvise 440 440
process_mrelease 448 448 | kcmp 312 272 | pidfd_open 434 434 | pidfd_getfd 438 438 | pidfd_send_signal 424 424
fork 57 - | vfork 58 - | execve 59 221 | execveat 322 281 | tkill 200 130 | rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240 | setsid 112 157 | setpgid 109 154
# Sockets: all that are needed were handed in.
socket 41 198 | bind 49 200 | listen 50 201 | connect 42 203 | sendmmsg 307 269
# Memory that no limit counts, and memory shared with others.
memfd_create 319 279 | memfd_secret 447 447 | shmget 29 194 | shmat 30 196 | shmctl 31 195 | shmdt 67 197
semget 64 190 | semop 65 193 | semctl 66 191 | semtimedop 220 192 | msgget 68 186 | msgsnd 69 189 | msgrcv 70 188
msgctl 71 187 | mq_open 240 180 | mq_unlink 241 181 | mq_timedsend 242 182 | mq_timedreceive 243 183
mq_notify 244 184 | mq_getsetattr 245 185 | mlock 149 228 | mlock2 325 284 | mlockall 151 230 | vmsplice 278 75
userfaultfd 323 282 | map_shadow_stack 453 453
# Files: what Landlock has no right for.
chmod 90 - | fchmod 91 52 | fchmodat 268 53 | fchmodat2 452 452 | chown 92 - | lchown 94 - | fchown 93 55
fchownat 260 54 | setxattr 188 5 | lsetxattr 189 6 | fsetxattr 190 7 | removexattr 197 14 | lremovexattr 198 15
fremovexattr 199 16 | utime 132 - | utimes 235 - | utimensat 280 88 | futimesat 261 - | truncate 76 45 | mknod 133 -
mknodat 259 33 | name_to_handle_at 303 264 | open_by_handle_at 304 265 | quotactl 179 60 | quotactl_fd 443 443
# Namespaces and mounts.
unshare 272 97 | setns 308 268 | mount 165 40 | umount2 166 39 | pivot_root 155 41 | chroot 161 51
move_mount 429 429 | open_tree 428 428 | fsopen 430 430 | fsconfig 431 431 | fsmount 432 432 | fspick 433 433
mount_setattr 442 442 | statmount 457 457 | listmount 458 458
# Identity, limits and rules: what was given up stays given up.
setuid 105 146 | setgid 106 144 | setreuid 113 145 | setregid 114 143 | setresuid 117 147 | setresgid 119 149
setgroups 116 159 | setfsuid 122 151 | setfsgid 123 152 | capset 126 91 | seccomp 317 277
landlock_create_ruleset 444 444 | landlock_add_rule 445 445 | landlock_restrict_self 446 446
lsm_set_self_attr 460 460 | setrlimit 160 164 | personality 135 92 | setpriority 141 140 | ioprio_set 251 30
sched_setscheduler 144 119 | sched_setattr 314 274 | sched_setparam 142 118 | sched_setaffinity 203 122
migrate_pages 256 238 | move_pages 279 239 | mbind 237 235 | set_mempolicy 238 237 | set_mempolicy_home_node 450 450
# The kernel's wide flanks.
add_key 248 217 | keyctl 250 219 | request_key 249 218 | bpf 321 280 | perf_event_open 298 241
io_uring_setup 425 425 | io_uring_enter 426 426 | io_uring_register 427 427 | fanotify_init 300 262
fanotify_mark 301 263 | init_module 175 105 | finit_module 313 273 | delete_module 176 106 | kexec_load 246 104
kexec_file_load 320 294 | reboot 169 142 | swapon 167 224 | swapoff 168 225 | sethostname 170 161
setdomainname 171 162 | settimeofday 164 170 | clock_settime 227 112 | clock_adjtime 305 266 | adjtimex 159 171
acct 163 89 | iopl 172 - | ioperm 173 - | modify_ldt 154 - | syslog 103 116 | vhangup 153 58 | lookup_dcookie 212 18
nfsservctl 180 42 | uselib 134 - | _sysctl 156 - | cachestat 451 451
"""

# Looked at more closely, as Python cannot do without them.
_CHECKED: Final = """
clone 56 220 | clone3 435 435 | socketpair 53 199 | kill 62 129 | tgkill 234 131 | prctl 157 167 | prlimit64 302 261
"""

_COLUMN: Final[dict[Machine, int]] = {"x86_64": 1, "aarch64": 2}


def denied(machine: Machine) -> list[int]:
    """Return the numbers of all calls that are refused whatever their arguments."""
    return [number for _, number in _numbers(_DENIED, machine)]


def checked(machine: Machine) -> dict[str, int]:
    """Return the numbers of the calls whose arguments decide, by name."""
    return dict(_numbers(_CHECKED, machine))


@functools.cache
def _numbers(table: str, machine: Machine) -> tuple[tuple[str, int], ...]:
    lines = [line for line in table.splitlines() if line and not line.startswith("#")]
    entries = [entry.split() for line in lines for entry in line.split(" | ")]
    column = _COLUMN[machine]
    return tuple((entry[0], int(entry[column])) for entry in entries if entry[column] != "-")
