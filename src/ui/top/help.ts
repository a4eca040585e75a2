// SPDX-License-Identifier: Apache-2.0
// Contains the help page of hutch top: keys and columns. Pure.

const keys = `↑ ↓ PgUp PgDn Home End   select a group
← → space                fold and unfold it
enter                    its details, with the course of its figures
t                        tree or flat list
s S r                    sort by the next or previous column; reverse the order
/                        only groups whose path contains a text; escape shows all
a                        groups without processes, too
Ctrl-L                   draw anew
q Ctrl-C                 quit`

/** Keys that change a group, after the user has confirmed it. */
export const changes = `f                        freeze or thaw it and its descendants
k                        kill all processes in it and its descendants
l                        change a limit: f, k and l ask for confirmation`

const titles = `CPU%      CPU time; 100% is one CPU
THR%      share of quota periods in which its tasks were throttled
MEM       memory in use, including file cache; the bar shows the share of LIMIT
PIDS      tasks, including threads, and their limit
STALLED   share of the last 10 s in which a task waited for cpu, memory, io
OOM       total OOM kills`

export const helpFooter = 'any key goes back'
export const longHelpFooter = '↑↓ PgUp PgDn scroll, any other key goes back'

/** Returns the lines of the help page. `own` are keys that only this screen has. */
export function drawHelp(own: string): string[] {
  return `${own}\n${keys}\n\n${titles}`.split('\n')
}
