// SPDX-License-Identifier: Apache-2.0
// Formats results as text for people. Called by the command line; pure. Uses colours only if requested.
import { leafName } from '../host/host.ts'
import type { ExplainedStep } from '../ops/explain.ts'
import { paint } from '../text/paint.ts'
import { shellWord } from '../text/quote.ts'
import { formatDuration, formatSize } from '../text/units.ts'
import { limitForPeak, sizeText } from './memory-need.ts'
import type { Result } from './result.ts'

/** Formats a verdict: the headline, the kernel's figures, and the remedy. */
export function formatVerdict(result: Result, { color, verbose }: { color: boolean; verbose: boolean }): string {
  const { headline, evidence, remedy } = result.verdict
  const stopped = result.reason !== 'exit' || (result.usage.oomKills ?? 0) > 0
  const lines = [
    ...evidence,
    ...(verbose ? usageLines(result) : []),
    ...(remedy ? [['remedy', remedy] as [string, string]] : []),
  ]
  const title = `hutch: ${headline}`
  return `${paint(stopped ? 'boldRed' : 'bold', title, color)}\n${formatLines(lines, color)}`
}

/** Formats lines of a label and a text, indented below a headline. */
export function formatLines(lines: readonly [string, string][], color: boolean): string {
  return lines.map(([label, text]) => `  ${paint('dim', label.padEnd(11), color)}  ${text}\n`).join('')
}

/** Returns the line that tells how much memory a successful run needed, as a value for --memory. */
function enoughLine({ usage: { memoryPeak, oomKills = 0 }, limits }: Result): [string, string][] {
  const limit = limits['memory.max']
  const held = typeof limit === 'number' && memoryPeak !== undefined && memoryPeak >= limit
  if (memoryPeak === undefined || oomKills > 0 || held) return []
  return [['enough', `--memory ${sizeText(limitForPeak(memoryPeak))} holds the peak of this run`]]
}

function usageLines(result: Result): [string, string][] {
  const { usage, cgroup, durationMs } = result
  const lines: [string, string][] = [['time', formatDuration(durationMs)]]
  lines.push(...enoughLine(result))
  const { cpuUsec, userUsec, systemUsec, io, pressure } = usage
  if (cpuUsec !== undefined)
    lines.push([
      'cpu',
      `${formatDuration(cpuUsec / 1000)}   user ${formatDuration((userUsec ?? 0) / 1000)}   system ${formatDuration((systemUsec ?? 0) / 1000)}`,
    ])
  if (usage.pidsPeak !== undefined) lines.push(['pids', `peak ${usage.pidsPeak}`])
  if (io) lines.push(['io', `read ${formatSize(io.readBytes)}   written ${formatSize(io.writtenBytes)}`])
  for (const [resource, stall] of Object.entries(pressure ?? {}))
    if (stall.someUsec) lines.push([`${resource} wait`, formatDuration(stall.someUsec / 1000)])
  lines.push(['cgroup', `${cgroup.layout}${cgroup.path ? `   ${cgroup.path}` : ''}`])
  return lines
}

/**
 * Formats the operations of a program one by one, then the same operations as a shell script. `home` is the scope that
 * hutch would first request from systemd.
 */
export function formatSteps(steps: ExplainedStep[], { color, home }: { color: boolean; home?: string }): string {
  const part = (section: ExplainedStep['section'], title: string) => [
    paint('bold', title, color),
    ...steps
      .filter((step) => step.section === section)
      .map(({ step, op, words }) => `  ${String(step).padStart(2)}  ${op.padEnd(15)} ${words}`),
  ]
  const wait = steps.findIndex((step) => step.op === 'wait')
  const inner = steps.filter((step) => step.section === 'inner')
  const outer = steps.filter((step) => step.section === 'outer')
  const shell = [...outer.slice(0, wait), ...inner, ...outer.slice(wait)].map((step) => step.shell).filter(Boolean)
  const scope = home === undefined ? { words: [], shell: [] } : scopeLines(home)
  const before =
    scope.words.length > 0 ? [paint('bold', 'first', color), ...scope.words.map((line) => `   ${line}`), ''] : []
  return `${[...before, ...part('outer', 'outer: around the command'), '', ...part('inner', 'inner: in the child, before it becomes the command'), '', paint('bold', 'the same by hand', color), ...[...scope.shell, ...shell].map((line) => `  ${line}`)].join('\n')}\n`
}

function scopeLines(home: string): { words: string[]; shell: string[] } {
  const unit = home.slice(home.lastIndexOf('/') + 1)
  const leaf = `${home}/${leafName}`
  const user = home.includes('/user@') ? '--user ' : ''
  return {
    words: [`ask systemd for ${unit}, with Delegate=yes, and enter it`, `make the group ${leaf} and go there`],
    shell: [
      `systemd-run ${user}--scope --unit=${unit} -p Delegate=yes sh`,
      `mkdir ${shellWord(leaf)}; echo $$ > ${shellWord(`${leaf}/cgroup.procs`)}`,
    ],
  }
}

/** Returns true if output should be coloured: stdout is a terminal, and NO_COLOR is not set (no-color.org). */
export function wantsColor(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR
}
