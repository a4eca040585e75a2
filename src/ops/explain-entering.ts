// SPDX-License-Identifier: Apache-2.0
// The words and shell lines of ops that only unshare and nsenter need. Pure.
import type { Op } from './ops.ts'

type Entering = Extract<
  Op,
  {
    op:
      | 'keepDescriptors'
      | 'bindNamespaces'
      | 'fork'
      | 'writeOwnFile'
      | 'changeRoot'
      | 'holdDirectories'
      | 'enterDirectories'
      | 'dropGroups'
      | 'takeIds'
      | 'keepCapabilities'
      | 'execFile'
  }
>

export function explainEntering(op: Entering): { words: string; shell: string } {
  switch (op.op) {
    case 'keepDescriptors':
      return { words: `pass on the descriptors ${op.descriptors.join(', ')}`, shell: '' }
    case 'bindNamespaces':
      return {
        words: `once it is ready, keep its namespaces: ${op.kinds.map((kind, i) => `${kind} at ${op.files[i]}`).join(', ')}`,
        shell: op.kinds.map((kind, i) => `mount --bind /proc/$PID/ns/${kind} ${op.files[i]}`).join('; '),
      }
    case 'fork':
      return { words: 'go on as a child', shell: '( … )' }
    case 'writeOwnFile':
      return {
        words: `write ${op.value.trim()} to ${op.path}`,
        shell: `printf '%s' '${op.value.trim()}' > ${op.path}`,
      }
    case 'changeRoot':
      return { words: `make ${op.path} the root directory`, shell: `chroot ${op.path} …` }
    case 'holdDirectories':
      return { words: `open ${[op.root, op.directory].filter(Boolean).join(' and ')}`, shell: '' }
    case 'enterDirectories':
      return {
        words: `enter the directories opened before${op.inside ? `, then ${op.inside}` : ''}`,
        shell: op.inside ? `cd ${op.inside}` : '',
      }
    case 'dropGroups':
      return { words: 'drop the supplementary groups if that is allowed', shell: 'setpriv --clear-groups …' }
    case 'takeIds': {
      const ids = [op.uid < noId && `user ${op.uid}`, op.gid < noId && `group ${op.gid}`].filter(Boolean)
      return {
        words: `become ${ids.join(', ')}${op.groups ? ', without other groups' : ''}`,
        shell: `setpriv ${[op.uid < noId && `--reuid ${op.uid}`, op.gid < noId && `--regid ${op.gid}`, op.groups && '--clear-groups'].filter(Boolean).join(' ')} …`,
      }
    }
    case 'keepCapabilities':
      return { words: 'keep all capabilities through an exec', shell: 'setpriv --ambient-caps +all …' }
    case 'execFile':
      return { words: `become ${op.file}`, shell: `exec -a ${op.argv[0]} ${op.file}` }
  }
}

const noId = 0xffff_ffff
