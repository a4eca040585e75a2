// SPDX-License-Identifier: Apache-2.0
// A program as a person reads it: each operation in words, and the shell line that does the same by hand. Pure.

import { mountFlags } from '../mounts/mount-flags.ts'
import { mountAttributes } from '../mounts/root.ts'
import { kindsIn, namespaces } from '../namespaces/namespace.ts'
import { shellWord } from '../text/quote.ts'
import { signalName } from '../text/signals.ts'
import { explainEntering } from './explain-entering.ts'
import { explainFilling } from './explain-filling.ts'
import { explainNetwork } from './explain-network.ts'
import { explainRights } from './explain-rights.ts'
import type { Op, Program } from './ops.ts'

/** One operation, explained. An empty shell line means that a shell has nothing like it. */
export interface Step {
  section: 'outer' | 'inner'
  step: number
  op: Op['op']
  origin: string
  words: string
  shell: string
}

/** Every step of both sections, in the order in which they are written down. */
export function explainProgram(program: Program): Step[] {
  // what has a relative target is meant from the file system attached last at an absolute one
  let last = ''
  const explain = (section: Step['section']) => (op: Op, step: number) => {
    if (op.op === 'attachNew' && op.target.startsWith('/')) last = op.target
    return { section, step, op: op.op, origin: op.origin, ...explainOp(fromRoot(op, last)) }
  }
  return [...program.outer.map(explain('outer')), ...program.inner.map(explain('inner'))]
}

function fromRoot(op: Op, last: string): Op {
  const full = (path: string) => (path.startsWith('/') ? path : `${last}/${path}`)
  switch (op.op) {
    case 'attachTree':
    case 'attachNew':
      return { ...op, target: full(op.target) }
    case 'makeLink':
      return { ...op, name: full(op.name) }
    case 'coverPath':
      return { ...op, path: full(op.path) }
    default:
      return op
  }
}

function explainOp(op: Op): { words: string; shell: string } {
  switch (op.op) {
    case 'makeGroup':
      return { words: `make the group ${op.path}`, shell: `mkdir ${op.mayExist ? '-p ' : ''}${shellWord(op.path)}` }
    case 'writeFile':
      return {
        words: `set ${nameOf(op.path)} to ${op.value}`,
        shell: `echo ${shellWord(op.value)} > ${shellWord(op.path)}`,
      }
    case 'readFile':
      return { words: `read ${nameOf(op.path)} if it is there`, shell: `cat ${shellWord(op.path)}` }
    case 'readIfFailed':
      return { words: `read ${nameOf(op.path)} if it failed`, shell: `cat ${shellWord(op.path)}` }
    case 'spawn': {
      const kinds = kindsIn(op.flags)
      const made = kinds.length > 0 ? `new namespaces: ${kinds.join(', ')}` : 'no new namespaces'
      return {
        words: `clone hutch-init${op.group ? ` into ${op.group}` : ''}, ${made}; it runs the inner section`,
        shell: [
          op.group && `echo $$ > ${shellWord(`${op.group}/cgroup.procs`)}`,
          kinds.length > 0 && `unshare ${kinds.map((kind) => namespaces[kind].shell).join(' ')} …`,
        ]
          .filter(Boolean)
          .join('; '),
      }
    }
    case 'watchFile':
      return { words: `watch ${nameOf(op.path)} for changes`, shell: `inotifywait -m ${shellWord(op.path)} &` }
    case 'watchOom':
      return {
        words: `be told when ${op.group} is out of memory${op.kill ? ', and then kill all of it' : ''}`,
        shell: '',
      }
    case 'wait':
      return {
        words: op.timeoutMs
          ? `wait for its end: ${signalName(op.stopSignal)} after ${op.timeoutMs} ms, SIGKILL ${op.killAfterMs} ms later`
          : 'wait for its end',
        shell: 'wait',
      }
    case 'limitCpu':
      return {
        words: `look at ${nameOf(op.file)}, and kill all of it when it has used ${op.limitMs + op.extraMs} ms of CPU time`,
        shell: `while sleep 0.01; do cat ${shellWord(op.file)}; done &`,
      }
    case 'watchReady':
      return { words: 'be notified when it waits for a job', shell: '' }
    case 'awaitOrder':
      return { words: 'wait for a job', shell: '' }
    case 'killGroup':
      return {
        words: 'kill what is left in its groups',
        shell: op.killFile
          ? `echo 1 > ${shellWord(op.killFile)}`
          : `kill -9 $(cat ${op.procs.map(shellWord).join(' ')})`,
      }
    case 'removeGroup':
      return {
        words: `remove ${op.path}${op.shared ? ' if nothing else is in it' : ''}`,
        shell: `rmdir ${shellWord(op.path)}`,
      }
    case 'attachDeviceFilter':
      return { words: `let ${nameOf(op.group)} use the devices of its list alone (a BPF program)`, shell: '' }
    case 'sendMapped':
      return {
        words: `map the ids of ${op.source} by its user namespace, and hand it in${attributeList(op.attributes)}`,
        shell: `mount --${op.recursive ? 'rbind' : 'bind'} -o X-mount.idmap=/proc/$PID/ns/user ${shellWord(op.source)} …`,
      }
    case 'attachSent':
      return { words: `put ${op.source}, whose ids were mapped, at ${op.target}`, shell: '' }
    case 'joinGroup':
      return { words: `enter ${op.path.slice(0, op.path.lastIndexOf('/'))}`, shell: `echo 0 > ${shellWord(op.path)}` }
    case 'unshare':
      return {
        words: `make a namespace of its own: ${kindsIn(op.flags).join(', ')}`,
        shell: `unshare ${kindsIn(op.flags)
          .map((kind) => namespaces[kind].shell)
          .join(' ')} …`,
      }
    case 'setHostname':
      return { words: `call the host ${op.name}`, shell: `hostname ${shellWord(op.name)}` }
    case 'setDomainname':
      return { words: `name the domain ${op.name}`, shell: `domainname ${shellWord(op.name)}` }
    case 'setSysctl':
      return {
        words: `set ${op.path.slice('/proc/sys/'.length)} to ${op.value}`,
        shell: `echo ${shellWord(op.value)} > ${op.path}`,
      }
    case 'mount':
      return explainMount(op)
    case 'loopbackUp':
      return { words: 'bring the loopback interface up', shell: 'ip link set lo up' }
    case 'changeDirectory':
      return { words: `start in ${op.path}`, shell: `cd ${shellWord(op.path)}` }
    case 'dieWithParent':
      return { words: 'be killed when hutch ends', shell: 'setpriv --pdeathsig KILL …' }
    case 'openRoot':
      return {
        words: `copy the mounts of ${op.source} to be the root${attributeList(op.attributes)}`,
        shell: `mount --rbind ${shellWord(op.source)} $ROOT${bindOptions(op.attributes, '$ROOT')}`,
      }
    case 'attachTree':
      return {
        words: `put ${op.source} at ${op.target}${attributeList(op.attributes)}`,
        shell: `mount --${op.recursive ? 'rbind' : 'bind'} ${shellWord(op.source)} ${inRoot(op.target)}${bindOptions(op.attributes, inRoot(op.target))}`,
      }
    case 'attachNew':
      return {
        words: `put a ${op.type} of its own at ${op.target}${attributeList(op.attributes, op.options)}`,
        shell: `mount -t ${op.type} -o ${[...op.options, ...attributeNames(op.attributes)].join(',')} ${op.type} ${inRoot(op.target)}`,
      }
    case 'attachOverlay':
      return {
        words: `put ${op.lower.join(' over ')} at ${op.target}, ${op.drops ? 'changes are discarded' : op.upper ? `changes go to ${op.upper}` : 'read-only'}`,
        shell: `mount -t overlay -o lowerdir=${op.lower.map(shellWord).join(':')}${op.upper ? `,upperdir=${shellWord(op.upper)},workdir=${shellWord(op.work)}` : op.drops ? ',upperdir=$TMPFS/upper,workdir=$TMPFS/work' : ''} overlay ${inRoot(op.target)}`,
      }
    case 'makeLink':
      return { words: `link ${op.name} to ${op.to}`, shell: `ln -s ${shellWord(op.to)} ${inRoot(op.name)}` }
    case 'coverPath':
      return {
        words: op.readOnly ? `make ${op.path} read-only` : `hide ${op.path}`,
        shell: op.readOnly
          ? `mount --bind ${inRoot(op.path)} ${inRoot(op.path)}; mount -o remount,bind,ro ${inRoot(op.path)}`
          : `mount --bind /dev/null ${inRoot(op.path)}`,
      }
    case 'pivotRoot':
      return {
        words: "make it the root, and detach the host's",
        shell: 'cd $ROOT; pivot_root . .; umount -l .',
      }
    case 'exec':
      return {
        words: `${op.reap ? 'stay as PID 1, reap orphans, and run' : 'become'} ${op.argv.join(' ')}`,
        shell: `exec ${op.argv.map(shellWord).join(' ')}`,
      }
    case 'awaitNetwork':
    case 'attachText':
      return explainNetwork(op)
    case 'keepDescriptors':
    case 'bindNamespaces':
    case 'fork':
    case 'writeOwnFile':
    case 'changeRoot':
    case 'holdDirectories':
    case 'enterDirectories':
    case 'dropGroups':
    case 'takeIds':
    case 'keepCapabilities':
    case 'execFile':
      return explainEntering(op)
    case 'attachGroups':
    case 'emptyRoot':
    case 'makeMissing':
    case 'makeDirectory':
    case 'writeData':
    case 'changeMode':
    case 'makeReadOnly':
    case 'nameProgram':
    case 'closeOnExec':
    case 'installFilter':
    case 'superviseFilter':
    case 'superviseCalls':
    case 'blockOn':
    case 'takeLock':
    case 'newSession':
    case 'nestUser':
    case 'attachTerminal':
    case 'checkStreams':
    case 'refuseUsers':
    case 'chooseDirectory':
    case 'enterDescriptor':
      return explainFilling(op)
    default:
      return explainRights(op)
  }
}

function explainMount(op: Extract<Op, { op: 'mount' }>): { words: string; shell: string } {
  if (!op.type)
    return {
      words: `let no mount below ${op.target} reach the host`,
      shell: `mount --make-r${op.flags & mountFlags.private ? 'private' : 'slave'} ${shellWord(op.target)}`,
    }
  const options = (['nosuid', 'nodev', 'noexec'] as const).filter((name) => op.flags & mountFlags[name]).join(',')
  return {
    words: `mount a ${op.type} of its own on ${op.target}`,
    shell: `mount -t ${op.type}${options ? ` -o ${options}` : ''} ${shellWord(op.source)} ${shellWord(op.target)}`,
  }
}

function attributeNames(attributes: number): string[] {
  return Object.entries(mountAttributes).flatMap(([name, bit]) => (attributes & bit ? [name] : []))
}

function attributeList(attributes: number, options: readonly string[] = []): string {
  const names = [...options, ...attributeNames(attributes)]
  return names.length > 0 ? ` (${names.join(', ')})` : ''
}

function bindOptions(attributes: number, path: string): string {
  const names = attributeNames(attributes)
  return names.length > 0 ? `; mount -o remount,bind,${names.join(',')} ${path}` : ''
}

function inRoot(path: string): string {
  return `$ROOT${shellWord(path)}`
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
