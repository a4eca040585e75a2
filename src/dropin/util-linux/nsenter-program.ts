// SPDX-License-Identifier: Apache-2.0
// Compiles a request of nsenter(1) to a Program, in that tool's order. Pure.

import { namespaces } from '../../namespaces/namespace.ts'
import type { Join } from '../../namespaces/setns.ts'
import type { Op, Program } from '../../ops/ops.ts'
import { execOp, type Launch, restoreOps, startOps, waitOp } from '../../plan/unshare.ts'

/** A request of nsenter. The id -1 means the default id. */
export interface EnterRequest {
  joins: Join[]
  /** Path of the cgroup.procs file of the group to join. */
  group?: string
  /** Working directory that is opened before the namespaces are entered. */
  root?: string
  directory?: string
  /** Working directory that is opened after the namespaces are entered. */
  inside?: string
  fork: boolean
  uid?: number
  gid?: number
  preserveCredentials: boolean
  keepCapabilities: boolean
}

const noId = 0xffff_ffff

/** Compiles both sections of the program. */
export function compileNsenter(request: EnterRequest, launch: Launch): Program {
  return { outer: [...startOps(launch), waitOp()], inner: compileInner(request, launch) }
}

function compileInner(request: EnterRequest, launch: Launch): Op[] {
  const { joins, group, root = '', directory = '', inside = '', fork, preserveCredentials } = request
  const joinsUser = joins.some(({ kind }) => kind === 'user')
  const inner: Op[] = restoreOps(launch)
  // open the directories before any namespace is entered: their paths are those that the caller sees
  if (root || directory) inner.push({ op: 'holdDirectories', root, directory, origin: '--root, --wd' })
  if (group !== undefined) inner.push({ op: 'joinGroup', path: group, origin: '--join-cgroup' })
  if (joinsUser && !preserveCredentials) inner.push({ op: 'dropGroups', origin: '--user' })
  if (joins.length > 0)
    inner.push({
      op: 'joinNamespaces',
      paths: joins.map(({ path }) => path),
      kinds: joins.map(({ kind }) => namespaces[kind].flag),
      origin: joins.map(({ kind }) => `--${kind}`).join(' '),
    })
  if (root || directory || inside)
    inner.push({ op: 'enterDirectories', inside, origin: inside ? '--wdns' : '--root, --wd' })
  if (fork) inner.push({ op: 'fork', signal: 0, origin: '--pid' })
  const becomesRoot = joinsUser && !preserveCredentials
  const uid = request.uid ?? (becomesRoot ? 0 : undefined)
  const gid = request.gid ?? (becomesRoot ? 0 : undefined)
  if (uid !== undefined || gid !== undefined)
    inner.push({
      op: 'takeIds',
      uid: uid ?? noId,
      gid: gid ?? noId,
      groups: gid === undefined ? 0 : becomesRoot ? 2 : 1,
      origin: request.uid === undefined && request.gid === undefined ? '--user' : '--setuid, --setgid',
    })
  if (request.keepCapabilities && joinsUser) inner.push({ op: 'keepCapabilities', origin: '--keep-caps' })
  if (!fork) inner.push({ op: 'dieWithParent', signal: 9, origin: 'the command' })
  return [...inner, execOp(launch)]
}
