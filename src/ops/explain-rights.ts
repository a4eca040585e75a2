// SPDX-License-Identifier: Apache-2.0
// The words and shell lines of ops about user namespaces, ids, capabilities, limits and priorities. Pure.
import { capabilityName, parseCapabilityMask } from '../credentials/capability.ts'
import { kindsIn } from '../namespaces/namespace.ts'
import type { Op } from './ops.ts'

type Rights = Extract<
  Op,
  {
    op:
      | 'reserveIds'
      | 'mapIds'
      | 'awaitMaps'
      | 'limitUserCount'
      | 'awaitGroups'
      | 'sendGo'
      | 'joinNamespaces'
      | 'stayOutside'
      | 'offsetClocks'
      | 'setOomScore'
      | 'setLimit'
      | 'boundLimit'
      | 'setNice'
      | 'setIoPriority'
      | 'setScheduler'
      | 'dropBounding'
      | 'setUser'
      | 'setCapabilities'
      | 'noNewPrivileges'
      | 'allowPath'
      | 'restrictPaths'
  }
>

export function explainRights(op: Rights): { words: string; shell: string } {
  switch (op.op) {
    case 'reserveIds':
      return { words: 'reserve unused host ids (*)', shell: '' }
    case 'mapIds':
      return {
        words: `map its users (${extents(op.users)}) and groups (${extents(op.groups)})${op.denySetgroups ? ', without setgroups' : ''}`,
        shell: [
          op.denySetgroups && 'echo deny > /proc/$PID/setgroups',
          mapLine('gid_map', op.groups, op.groupTool),
          mapLine('uid_map', op.users, op.userTool),
        ]
          .filter(Boolean)
          .join('; '),
      }
    case 'awaitMaps':
      return { words: 'wait until its ids are mapped', shell: '' }
    case 'limitUserCount':
      return {
        words: `set ${op.path.slice(op.path.lastIndexOf('/') + 1)} of its user namespace to ${op.value}`,
        shell: `echo ${op.value} > ${op.path}`,
      }
    case 'awaitGroups':
      return { words: 'wait until its groups exist', shell: '' }
    case 'sendGo':
      return { words: 'let it continue into them', shell: '' }
    case 'joinNamespaces': {
      const kinds = op.kinds.map((kind) => kindsIn(kind)[0])
      return {
        words: `enter existing namespaces: ${kinds.map((kind, i) => `${kind} (${op.paths[i]})`).join(', ')}`,
        shell: `nsenter ${kinds.map((kind, i) => `--${kind}=${op.paths[i]}`).join(' ')} …`,
      }
    }
    case 'stayOutside':
      return { words: 'continue as a child, because a pid namespace begins with a child', shell: 'unshare --fork …' }
    case 'offsetClocks':
      return {
        words: `make a time namespace${op.offsets ? ` with ${op.offsets.trim().replaceAll('\n', ', ')} (s, ns)` : ''}`,
        shell: `unshare --time ${op.offsets
          .split('\n')
          .filter(Boolean)
          .map((line) => `--${line.split(' ').slice(0, 2).join(' ')}`)
          .join(' ')} …`,
      }
    case 'setOomScore':
      return {
        words: `change the OOM score by ${op.value} thousandths`,
        shell: `echo ${op.value} > /proc/self/oom_score_adj`,
      }
    case 'setLimit':
    case 'boundLimit': {
      const amount = (number: number) => (number === -1 ? 'unlimited' : String(number))
      const name = limitNames[op.resource] ?? String(op.resource)
      const words = `limit ${name} to ${amount(op.soft)}${op.hard === op.soft ? '' : `, at most ${amount(op.hard)}`}`
      return {
        words: op.op === 'setLimit' ? words : `${words}, or keep a lower current value`,
        shell: `prlimit --pid $$ --${name}=${amount(op.soft)}:${amount(op.hard)}`,
      }
    }
    case 'setNice':
      return { words: `set the nice value ${op.nice}`, shell: `renice -n ${op.nice} -p $$` }
    case 'setIoPriority': {
      const [kind, level] = [op.priority >> 13, op.priority & 7]
      return {
        words: `take the I/O priority class ${kind}${kind === 3 ? '' : `, level ${level}`}`,
        shell: `ionice -c ${kind}${kind === 3 ? '' : ` -n ${level}`} -p $$`,
      }
    }
    case 'setScheduler': {
      const name = policyNames[op.policy] ?? String(op.policy)
      return { words: `be scheduled as ${name}`, shell: `chrt --${name} -p ${op.priority} $$` }
    }
    case 'dropBounding':
      return {
        words: `permanently drop all capabilities except ${listed(op.keep)}`,
        shell: `setpriv --bounding-set ${setprivList(op.keep)} …`,
      }
    case 'setUser':
      return {
        words: `become user ${op.uid}, group ${op.gid}`,
        shell: `setpriv --reuid ${op.uid} --regid ${op.gid} ${op.keepGroups === 1 ? '--keep-groups' : op.groups.length ? `--groups ${op.groups.join(',')}` : '--clear-groups'} …`,
      }
    case 'setCapabilities':
      return {
        words: `hold these capabilities: ${listed(op.permitted)}${op.ambient ? ', also through an exec' : ''}`,
        shell: `setpriv --inh-caps ${setprivList(op.inheritable)} --ambient-caps ${setprivList(op.ambient)} …`,
      }
    case 'allowPath':
      return {
        words: `allow the command to ${['read', 'write', 'execute'].filter((_, i) => op.access & (1 << i)).join(', ')} below ${op.path}`,
        shell: '',
      }
    case 'restrictPaths':
      return { words: 'deny it all other files (Landlock)', shell: '' }
    case 'noNewPrivileges':
      return { words: 'let no program gain privileges (no_new_privs)', shell: 'setpriv --no-new-privs …' }
  }
}

const limitNames =
  'cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice rtprio rttime'.split(' ')
const policyNames = ['other', 'fifo', 'rr', 'batch', '', 'idle']

function extents(words: readonly string[]): string {
  const parts: string[] = []
  for (let i = 0; i < words.length; i += 3) parts.push(words.slice(i, i + 3).join(':'))
  return parts.join(' ')
}

function mapLine(file: string, words: readonly string[], tool: string): string {
  if (tool) return `${tool} $PID ${words.join(' ')}`
  return `printf '${extents(words)
    .replaceAll(':', ' ')
    .replace(/(\S+ \S+ \S+) /g, '$1\\n')}\\n' > /proc/$PID/${file}`
}

function names(mask: number): string[] {
  return parseCapabilityMask(mask.toString(16)).map(capabilityName)
}

function listed(mask: number): string {
  const all = names(mask)
  return all.length === 0 ? 'none' : all.length > 12 ? `${all.length} of them` : all.join(', ')
}

function setprivList(mask: number): string {
  return ['-all', ...names(mask).map((name) => `+${name.slice(4).toLowerCase()}`)].join(',')
}
