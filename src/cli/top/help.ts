// SPDX-License-Identifier: Apache-2.0
// The page of hutch top that tells of its keys and columns: pure.
import { pad } from '../terminal-text.ts'
import type { Frame } from './frame.ts'

const lines = `↑ ↓ PgUp PgDn Home End   select a group
← → space                fold and unfold it
enter                    its details, with the course of its figures
t                        tree or flat list
s S r                    sort by the next column, the one before; smallest first
/                        only groups with this in their path; escape shows all again
a                        groups without processes, too
f                        freeze it and all below it, or let it go on
k                        kill all processes in it and below it
l                        change a limit
Ctrl-L                   draw anew
q Ctrl-C                 quit

f, k and l ask before they do it.

CPU%      CPU time by wall time: 100% is one CPU
THR%      share of the quota's periods in which its tasks were stopped
MEM       memory in use, file cache counted; the bar shows it against LIMIT
PIDS      tasks, threads counted, by the limit
STALLED   share of the last 10 s in which some task waited for cpu, memory, io
OOM       processes killed for memory, ever

any key goes back`.split('\n')

/** `first` stand above the others. */
export function drawHelp(frame: Frame, first: readonly string[] = []): string[] {
  const shown = [...first, ...lines].slice(0, frame.rows).map((line) => pad(line, frame.columns))
  return [...shown, ...Array.from({ length: Math.max(0, frame.rows - shown.length) }, () => '')]
}
