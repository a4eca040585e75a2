// SPDX-License-Identifier: Apache-2.0
// hutch cgroup tree: prints the groups as a tree, with their use, limits and recent pressure.

import { readMany } from '../../cgroup/files.ts'
import { listIds, openGroup } from '../../cgroup/group.ts'
import { type GroupLimits, readLimits } from '../../cgroup/group-limits.ts'
import { childGroupPaths, type GroupPaths } from '../../cgroup/group-paths.ts'
import { type GroupStats, readStats } from '../../cgroup/group-stats.ts'
import { fail, quote } from '../../errors/errors.ts'
import { print } from '../../system/stdout.ts'
import { paint } from '../../text/paint.ts'
import { formatJson } from '../../text/quote.ts'
import { formatDuration, formatSize } from '../../text/units.ts'
import { wantsColor } from '../../verdict/format-result.ts'
import type { Command } from '../command.ts'

interface Node {
  path: string
  name: string
  processes: number
  stats: GroupStats
  limits: GroupLimits
  /** Percent of the last ten seconds in which at least one task waited for a resource, by resource. */
  stalled: { [resource: string]: number }
  children: Node[]
}

export const command: Command = {
  flags: {
    depth: { value: 'N', short: 'd', help: 'Number of levels to draw.' },
    processes: { short: 'p', help: 'Draw only groups that have processes in or below them.' },
    json: { help: 'Print the tree as JSON.' },
  },
  words: '[GROUP]',
  main({ values, rest: [name = '/'] }) {
    const depth = Number(values.depth?.at(-1) ?? Number.POSITIVE_INFINITY)
    if (Number.isNaN(depth))
      throw fail('OPTION_INVALID', {
        name: '--depth',
        value: values.depth!.at(-1),
        why: 'not a number',
        accepted: 'how many levels, such as 2',
      })
    const root = readTree(openGroup(name), depth)
    const shown = values.processes ? (prune(root) ?? { ...root, children: [] }) : root
    print(values.json ? `${formatJson(shown, 2)}\n` : drawTree(shown, wantsColor(process.stdout)))
    return 0
  },
}

/** Reads a tree of groups. Lists all groups first, so that a few native calls can read all figures. */
function readTree(top: GroupPaths, depth: number): Node {
  const collect = (group: GroupPaths, left: number): Node => {
    const node = { path: group.path, name: group.path.slice(group.path.lastIndexOf('/') + 1) || '/' } as Node
    node.children = left > 0 ? childGroupPaths(group).map((child) => collect(child, left - 1)) : []
    nodes.push(node)
    order.push(group)
    return node
  }
  const nodes: Node[] = []
  const order: GroupPaths[] = []
  const root = collect(top, depth)
  const stats = readStats(order)
  const limits = readLimits(order)
  const stalled = readStalled(order)
  for (const [i, node] of nodes.entries())
    Object.assign(node, {
      processes: listIds(order[i]!, 'cgroup.procs').length,
      stats: stats[i],
      limits: limits[i],
      stalled: stalled[i],
    })
  return root
}

function readStalled(allPaths: readonly GroupPaths[]): { [resource: string]: number }[] {
  const resources = ['cpu', 'memory', 'io']
  const unified = allPaths.map((paths) => paths.directories[''] ?? '/nonexistent')
  return readMany(
    unified,
    resources.map((name) => `${name}.pressure`),
  ).map((figures) =>
    Object.fromEntries(
      resources.flatMap((name) => {
        const average = /^some avg10=([\d.]+)/.exec(figures(`${name}.pressure`) ?? '')?.[1]
        return average === undefined ? [] : [[name, Number(average)]]
      }),
    ),
  )
}

function prune(node: Node): Node | undefined {
  const children = node.children.flatMap((child) => prune(child) ?? [])
  return node.processes > 0 || children.length > 0 ? { ...node, children } : undefined
}

const header = ['GROUP', 'PROCS', 'MEMORY', '', 'TASKS', 'CPU', 'STALLED']

/** Formats the tree as text. */
export function drawTree(root: Node, color: boolean): string {
  const rows: string[][] = [header]
  const draw = (node: Node, lead: string, branch: string) => {
    rows.push([`${lead}${branch}${quoteName(node.name)}`, ...cells(node)])
    const below = lead + (branch === '' ? '' : branch.startsWith('└') ? '   ' : '│  ')
    node.children.forEach((child, i) => {
      draw(child, below, i === node.children.length - 1 ? '└─ ' : '├─ ')
    })
  }
  draw({ ...root, name: root.path }, '', '')
  const widths = header.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows
    .map((row, n) => {
      const line = row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd()
      return `${n === 0 ? paint('dim', line, color) : line}\n`
    })
    .join('')
}

function cells({ processes, stats, limits, stalled }: Node): string[] {
  const { memory, pids, cpu } = stats
  const memoryMax = limits.memory
  const tasks = pids === undefined ? '' : `${pids.current}${limit(limits.pids)}`
  const stalls = Object.entries(stalled).filter(([, share]) => share >= 0.01)
  return [
    String(processes || ''),
    memory === undefined ? '' : `${formatSize(memory.current)}${limit(memoryMax, formatSize)}`,
    memory === undefined || typeof memoryMax !== 'number' ? '' : drawBar(memory.current / memoryMax),
    tasks,
    cpu?.cpuUsec === undefined ? '' : `${formatDuration(cpu.cpuUsec / 1000)}${throttled(stats)}`,
    [...(stats.frozen ? ['frozen'] : []), ...stalls.map(([name, share]) => `${name} ${share.toFixed(1)}%`)].join(' '),
  ]
}

function limit(value: number | 'max' | undefined, format: (value: number) => string = String): string {
  return typeof value === 'number' ? ` of ${format(value)}` : ''
}

function throttled({ cpu }: GroupStats): string {
  return cpu?.throttledPeriods ? ` (throttled ${cpu.throttledPeriods}×)` : ''
}

function drawBar(share: number): string {
  const full = Math.min(8, Math.round(share * 8))
  return `${'█'.repeat(full)}${'░'.repeat(8 - full)}`
}

/** Escapes control characters, because another user may have chosen the name. */
function quoteName(name: string): string {
  return /[\u0000-\u001f\u007f-\u009f]/.test(name) ? quote(name) : name
}
