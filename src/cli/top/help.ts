// SPDX-License-Identifier: Apache-2.0
// The page of hutch top that tells of its keys and columns.

const keys = `↑ ↓ PgUp PgDn Home End   select a group
← → space                fold and unfold it
enter                    its details, with the course of its figures
t                        tree or flat list
s S r                    sort by the next column, the one before; smallest first
/                        only groups with this in their path; escape shows all
a                        groups without processes, too
Ctrl-L                   draw anew
q Ctrl-C                 quit`

/** The keys that change a group; each asks before it does. */
export const changes = `f                        freeze it and all below it, or let it go on
k                        kill all processes in it and below it
l                        change a limit: f, k and l ask before they do it`

const titles = `CPU%      CPU time by wall time: 100% is one CPU
THR%      share of the quota's periods in which its tasks were stopped
MEM       memory in use, file cache counted; the bar shows it against LIMIT
PIDS      tasks, threads counted, by the limit
STALLED   share of the last 10 s in which some task waited for cpu, memory, io
OOM       processes killed for memory, ever`

export const helpFooter = 'any key goes back'
export const longHelpFooter = '↑↓ PgUp PgDn scroll, any other key goes back'

/** All of it; `own` are the keys that not every such screen has. */
export function drawHelp(own: string): string[] {
  return `${own}\n${keys}\n\n${titles}`.split('\n')
}
