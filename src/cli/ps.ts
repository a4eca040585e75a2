// SPDX-License-Identifier: Apache-2.0
// hutch ps: lists the processes of groups, or prints them in the tree of groups.

import { findGroupPaths } from '../cgroup/group-paths.ts'
import { readHost } from '../host/host.ts'
import { readIds } from '../host/passwd.ts'
import { type Member, readMembers } from '../monitor/processes.ts'
import { print } from '../system/stdout.ts'
import { isBelow } from '../text/paths.ts'
import { escapeUnsafe, formatJson } from '../text/quote.ts'
import { cut, formatTable, widthOfOutput } from '../text/terminal-text.ts'
import { formatSize } from '../text/units.ts'
import type { Command } from './command.ts'
import type { FlagTable, Parsed } from './flags.ts'

const flags: FlagTable = {
  tree: { short: 't', help: 'Draw the groups as a tree, and the processes of each group below their parents.' },
  kernel: { short: 'k', help: 'Include kernel threads.' },
  json: { help: 'Print the processes as JSON.' },
}

/** A process to print, with its user's name and its children in the same group. */
interface Shown extends Omit<Member, 'kernel'> {
  user: string
  children: Shown[]
}

interface Node {
  path: string
  name: string
  processes: Shown[]
  groups: Node[]
}

export const command: Command = {
  words: '[GROUP…]',
  details: 'Lists the processes of the groups and of the groups below them. Without GROUP: of all groups.',
  flags,
  main,
}

function main({ values, rest: names }: Parsed): number {
  const host = readHost()
  const tops = names.length === 0 ? ['/'] : names.map((name) => findGroupPaths(host, name).path)
  const { userNames } = readIds()
  const userOf = (uid: number) => userNames.get(uid) ?? String(uid)
  const groups = new Map<string, Shown[]>()
  for (const [path, members] of readMembers(host)) {
    const shown = members.filter((member) => values.kernel !== undefined || !member.kernel)
    if (shown.length > 0 && tops.some((top) => isBelow(path, top)))
      groups.set(
        path,
        shown.map(({ kernel: _, ...member }) => ({ ...member, user: userOf(member.uid), children: [] })),
      )
  }
  if (values.tree) printTree(tops, groups, values.json !== undefined)
  else printList(groups, values.json !== undefined)
  return 0
}

function printList(groups: Map<string, Shown[]>, json: boolean): void {
  const all = [...groups].flatMap(([group, members]) => members.map((member) => ({ group, ...member })))
  if (json) {
    print(
      `${formatJson(
        all.map(({ children: _, ...one }) => one),
        2,
      )}\n`,
    )
    return
  }
  const rows = all.map(({ pid, user, group, threads, resident, cpuUsec, command }) => [
    String(pid),
    escapeUnsafe(user),
    escapeUnsafe(group),
    String(threads),
    formatSize(resident),
    formatTime(cpuUsec),
    escapeUnsafe(command),
  ])
  const header = ['PID', 'USER', 'GROUP', 'THREADS', 'RSS', 'TIME', 'COMMAND']
  printLines(formatTable([header, ...rows], { right: new Set([0, 3, 4, 5]), names: 2, width: widthOfOutput() }))
}

/** Formats CPU time as minutes, seconds and hundredths, such as `1:02.50`. */
function formatTime(usec: number): string {
  const seconds = usec / 1e6
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, '0')}`
}

/** Prints lines. If stdout is a terminal, cuts the lines to its width. */
function printLines(lines: string[]): void {
  const width = widthOfOutput() ?? Number.POSITIVE_INFINITY
  print(lines.map((line) => `${cut(line, width)}\n`).join(''))
}

function printTree(tops: readonly string[], groups: Map<string, Shown[]>, json: boolean): void {
  const trees = tops.map((top) => makeTree(top, groups))
  if (json) print(`${formatJson(trees.length === 1 ? trees[0] : trees, 2)}\n`)
  else printLines(trees.flatMap(drawTree))
}

/** Returns the groups as a tree. A group without processes is left out, unless a descendant has processes. */
function makeTree(top: string, groups: Map<string, Shown[]>): Node {
  const root: Node = { path: top, name: top, processes: [], groups: [] }
  const nodes = new Map([[top, root]])
  const nodeOf = (path: string): Node => {
    const known = nodes.get(path)
    if (known) return known
    const at = path.lastIndexOf('/')
    const node: Node = { path, name: path.slice(at + 1), processes: [], groups: [] }
    nodes.set(path, node)
    nodeOf(at <= 0 ? '/' : path.slice(0, at)).groups.push(node)
    return node
  }
  for (const [path, members] of groups) if (isBelow(path, top)) nodeOf(path).processes = nest(members)
  return root
}

/** Returns the processes of a group as trees. A child is below its parent if both are in the group. */
export function nest(members: readonly Shown[]): Shown[] {
  const here = new Map(members.map((member) => [member.pid, { ...member, children: [] as Shown[] }]))
  const tops: Shown[] = []
  for (const member of here.values()) (here.get(member.parent)?.children ?? tops).push(member)
  flatten(tops)
  return tops
}

/** Maximum depth of a printed tree of processes. */
const maxLevels = 100

/**
 * Limits the depth of a tree of processes, because a user can create a chain of any length. Deeper processes are listed below the last
 * level.
 */
function flatten(tops: readonly Shown[]): void {
  let level = tops
  for (let depth = 1; depth < maxLevels && level.length > 0; depth++) level = level.flatMap(({ children }) => children)
  for (const last of level) {
    const below = [...last.children]
    // elements that are appended during the loop are visited, too
    for (const one of below) {
      for (const child of one.children) below.push(child)
      one.children = []
    }
    last.children = below
  }
}

function drawTree(root: Node): string[] {
  const lines = [escapeUnsafe(root.path)]
  const draw = (entries: (Shown | Node)[], lead: string) => {
    for (const [i, entry] of entries.entries()) {
      const last = i === entries.length - 1
      const isGroup = 'path' in entry
      const text = isGroup ? entry.name : `${entry.pid} ${entry.user}  ${entry.command}`
      lines.push(`${lead}${last ? '└─ ' : '├─ '}${escapeUnsafe(text)}`)
      draw(isGroup ? [...entry.processes, ...entry.groups] : entry.children, `${lead}${last ? '   ' : '│  '}`)
    }
  }
  draw([...root.processes, ...root.groups], '')
  return lines
}
