// SPDX-License-Identifier: Apache-2.0
// The words and shell lines of ops that only a root that begins empty needs, and what goes with it. Pure.

import { kindsIn } from '../namespaces/namespace.ts'
import { shellWord } from '../text/quote.ts'
import type { Op } from './ops.ts'

type Filling = Extract<
  Op,
  {
    op:
      | 'emptyRoot'
      | 'makeMissing'
      | 'makeDirectory'
      | 'writeData'
      | 'changeMode'
      | 'makeReadOnly'
      | 'nameProgram'
      | 'closeOnExec'
      | 'installFilter'
      | 'superviseFilter'
      | 'superviseCalls'
      | 'blockOn'
      | 'takeLock'
      | 'newSession'
      | 'attachTerminal'
      | 'checkStreams'
      | 'nestUser'
      | 'refuseUsers'
      | 'attachGroups'
      | 'chooseDirectory'
      | 'enterDescriptor'
  }
>

export function explainFilling(op: Filling): { words: string; shell: string } {
  switch (op.op) {
    case 'emptyRoot':
      return { words: 'begin with an empty root', shell: 'mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs $ROOT' }
    case 'attachGroups':
      return groupsExplained(op)
    case 'makeMissing':
      return {
        words: `create what is missing on the path: directories as ${octal(op.parents)}, at its end ${octal(op.directory)} or a file as ${octal(op.file)}`,
        shell: '',
      }
    case 'makeDirectory':
      return { words: `make the directory ${op.path}`, shell: `mkdir -p $ROOT${op.path}` }
    case 'writeData':
      return {
        words: `copy from descriptor ${op.descriptor} to ${op.attached ? 'a file that is mounted at' : ''} ${op.path}`,
        shell: `install -m ${octal(op.mode)} /dev/fd/${op.descriptor} $ROOT${op.path}`,
      }
    case 'changeMode':
      return { words: `change the mode of ${op.path}`, shell: `chmod ${octal(op.mode)} $ROOT${op.path}` }
    case 'makeReadOnly':
      return { words: `make the mount at ${op.path} read-only`, shell: `mount -o remount,bind,ro $ROOT${op.path}` }
    case 'nameProgram':
      return { words: `set argv[0] of the program to ${op.name}`, shell: `exec -a ${op.name} …` }
    case 'closeOnExec':
      return { words: `keep the descriptors ${op.descriptors.join(', ')} from the program`, shell: '' }
    case 'installFilter':
      return { words: `at the exec, filter system calls: ${op.filter.length / 2} instructions`, shell: '' }
    case 'superviseFilter':
      return {
        words: `at the exec, filter system calls, and ask about ${op.plain.length === 2 ? 'each' : 'what is refused'}: ${op.noticed.length / 2} instructions`,
        shell: '',
      }
    case 'superviseCalls':
      return {
        words: op.learns ? 'record its system calls' : 'report which of its system calls are refused',
        shell: '',
      }
    case 'blockOn':
      return { words: `wait for a byte of descriptor ${op.descriptor}`, shell: `head -c 1 <&${op.descriptor}` }
    case 'takeLock':
      return { words: `hold a lock on ${op.path}`, shell: '' }
    case 'newSession':
      return { words: 'begin a session', shell: 'setsid …' }
    case 'attachTerminal':
      return {
        words: `attach the terminal, if a stream is one, as ${op.target}`,
        shell: `mount --bind "$(tty)" $ROOT/dev/${op.target}`,
      }
    case 'checkStreams':
      return {
        words: `refuse streams that are directories${op.protect ? ', and keep read-only streams read-only' : ''}`,
        shell: '',
      }
    case 'nestUser':
      return {
        words: `make another user namespace, its ids ${op.users.trim()} and ${op.groups.trim()}${op.limit ? ', the last one' : ''}`,
        shell: `${op.limit ? 'echo 1 > /proc/sys/user/max_user_namespaces; ' : ''}unshare --user …`,
      }
    case 'refuseUsers':
      return { words: 'check that no further user namespace can be created', shell: '! unshare --user true' }
    case 'chooseDirectory':
      return {
        words: `enter ${op.required ? op.directories[0] : `the first that is there of ${op.directories.join(', ')}`}`,
        shell: op.directories.map((path) => `cd ${path}`).join(' || '),
      }
    case 'enterDescriptor':
      return {
        words: `enter the ${kindsIn(op.kind)[0]} namespace that descriptor ${op.descriptor} holds`,
        shell: `nsenter --${kindsIn(op.kind)[0]}=/dev/fd/${op.descriptor} …`,
      }
  }
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`
}

function groupsExplained({ target, names, sources }: Extract<Op, { op: 'attachGroups' }>) {
  const bind = (source: string, at: string) => `mount --bind -o ro,nosuid,nodev,noexec ${shellWord(source)} $ROOT${at}`
  const line = (source: string, at: string) =>
    source.startsWith('/') ? bind(source, at) : `ln -s ${shellWord(source)} $ROOT${at}`
  const first = names.length === 0 ? [] : [`mount -t tmpfs -o nosuid,nodev,noexec,mode=0755 tmpfs $ROOT${target}`]
  return {
    words: `show ${sources.filter((source) => source.startsWith('/')).join(', ')} at ${target} (ro)`,
    shell: [...first, ...sources.map((source, i) => line(source, names[i] ? `${target}/${names[i]}` : target))].join(
      '; ',
    ),
  }
}
