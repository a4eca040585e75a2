// SPDX-License-Identifier: Apache-2.0
// Compiles the file system of bubblewrap(1): its steps, in order, become operations on an empty root. Pure.

import { devices } from '../../mounts/masked-paths.ts'
import { mountAttributes } from '../../ops/mount-flags.ts'
import type { Op } from '../../ops/ops.ts'
import type { FileSystemStep } from './request.ts'

const { nosuid, nodev, noexec } = mountAttributes
const modes = { directory: 0o755, file: 0o666, data: 0o600 }
/** Paths in /proc through which this user could change the machine. They become read-only inside. */
const guarded = ['sys', 'sysrq-trigger', 'irq', 'bus']
const overlay = { drops: 1, userAttributes: 2 }
const links = [
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['fd', '/proc/self/fd'],
  ['core', '/proc/kcore'],
] as const

/**
 * Compiles the steps to operations. `ownPid`: the new /proc shows the new pid namespace. `terminal`: the terminal that becomes
 * /dev/console.
 */
export function compileSteps(steps: readonly FileSystemStep[], ownPid: boolean, terminal: string | undefined): Op[] {
  const ops: Op[] = [{ op: 'emptyRoot', origin: 'the new root' }]
  let last = ''
  for (const step of steps) {
    const made = missingModes(step)
    // the operation stays in effect, so it is left out if the modes are the same as before
    const key = JSON.stringify({ ...made, origin: '' })
    if (key !== last) ops.push(made)
    last = step.do === 'dev' ? '' : key
    ops.push(...stepOps(step, ownPid, terminal))
  }
  return ops
}

/**
 * Returns the operation that sets the modes of missing directories and files. Parent directories deny access to the users to whom the
 * target denies it. The target of a mount has no mode, so its parents deny all users except the owner.
 */
function missingModes(step: FileSystemStep): Op {
  const mode = step.mode ?? defaultMode(step)
  const parents = 0o755 & ~(mode & 0o070 ? 0 : 0o070) & ~(mode & 0o007 ? 0 : 0o007)
  const directory = step.do === 'directory' ? mode : 0o755
  return { op: 'makeMissing', parents, directory, file: 0o444, origin: step.origin }
}

function defaultMode(step: FileSystemStep): number {
  if (step.do === 'directory' || step.do === 'tmpfs') return modes.directory
  if (step.do === 'data') return step.attached ? modes.data : modes.file
  return 0
}

function stepOps(step: FileSystemStep, ownPid: boolean, terminal: string | undefined): Op[] {
  const { target, origin } = step
  switch (step.do) {
    case 'bind':
      return [bind(step.source, target, step.attributes, origin)]
    case 'read-only':
      return [{ op: 'makeReadOnly', path: target, origin }]
    case 'overlay':
      return [
        {
          op: 'attachOverlay',
          lower: step.lower,
          upper: step.upper,
          work: step.work,
          target,
          attributes: nosuid + nodev,
          drops: (step.drops ? overlay.drops : 0) + overlay.userAttributes,
          origin,
        },
      ]
    case 'proc':
      return [
        ownPid
          ? attachNew('proc', [], target, nosuid + nodev + noexec, origin)
          : bind('/proc', target, nosuid + nodev, origin),
        ...guarded.map((name): Op => ({ op: 'coverPath', path: `${target}/${name}`, readOnly: 2, origin })),
      ]
    case 'dev':
      return deviceOps(target, terminal, origin)
    case 'mqueue':
      return [attachNew('mqueue', [], target, 0, origin)]
    case 'tmpfs': {
      const mode = `mode=0${(step.mode ?? modes.directory).toString(8)}`
      return [
        attachNew(
          'tmpfs',
          step.size === undefined ? [mode] : [mode, `size=${step.size}`],
          target,
          nosuid + nodev,
          origin,
        ),
      ]
    }
    case 'directory':
      return [{ op: 'makeDirectory', path: target, origin }]
    case 'data': {
      const { descriptor, attached, attributes } = step
      const mode = step.mode ?? defaultMode(step)
      return [{ op: 'writeData', descriptor, path: target, mode, attached: Number(attached), attributes, origin }]
    }
    case 'link':
      return [{ op: 'makeLink', name: target, to: step.to, keeps: 0, origin }]
    case 'mode':
      return [{ op: 'changeMode', path: target, mode: step.mode ?? 0, origin }]
  }
}

function bind(source: string, target: string, attributes: number, origin: string): Op {
  return { op: 'attachTree', source, target, attributes, absent: 0, recursive: 1, changes: [], links: 1, origin }
}

function attachNew(type: string, options: string[], target: string, attributes: number, origin: string): Op {
  return { op: 'attachNew', type, options, target, attributes, links: 1, source: '', beneath: 0, origin }
}

/** Returns the operations for a minimal /dev. A path without "/" at its start is relative to the tmpfs that was just mounted. */
function deviceOps(target: string, terminal: string | undefined, origin: string): Op[] {
  const link = (name: string, to: string): Op => ({ op: 'makeLink', name, to, keeps: 0, origin })
  return [
    attachNew('tmpfs', ['mode=0755'], target, nosuid + nodev, origin),
    { op: 'makeMissing', parents: 0o755, directory: 0o755, file: 0o444, origin },
    ...devices.map((name) => bind(`/dev/${name}`, name, nosuid, origin)),
    ...links.map(([name, to]) => link(name, to)),
    { op: 'makeDirectory', path: 'shm', origin },
    attachNew('devpts', ['newinstance', 'ptmxmode=0666', 'mode=620'], 'pts', nosuid + noexec, origin),
    link('ptmx', 'pts/ptmx'),
    ...(terminal === undefined ? [] : [bind(terminal, 'console', nosuid, origin)]),
  ]
}
