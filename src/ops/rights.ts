// SPDX-License-Identifier: Apache-2.0
// Lists the operations that reduce privileges, as rows of the table of operations (see row.ts): ids, capabilities,
// filters and paths. Pure.
import { capabilityName, parseCapabilityMask } from '../credentials/capability.ts'
import { fail, type HutchError, quote } from '../errors/errors.ts'
import { asRoot, withToolOption } from '../errors/remedy-text.ts'
import { type RefusedOp, row } from './row.ts'

export const rightOps = {
  setUser: row({
    code: 38,
    call: 'setresuid',
    fields: { uid: 'u32', gid: 'u32', groups: 'numbers', keepGroups: 'u32', keepCapabilities: 'u32' },
    what: 'change to the user',
    explain: (op) => ({
      words: `become user ${op.uid}, group ${op.gid}`,
      shell: `setpriv --reuid ${op.uid} --regid ${op.gid} ${op.keepGroups === 1 ? '--keep-groups' : op.groups.length ? `--groups ${op.groups.join(',')}` : '--clear-groups'} …`,
    }),
    remedy: (_, errno) =>
      errno === 'EINVAL'
        ? 'this id is not mapped in the user namespace'
        : (asRoot() ?? 'CAP_SETUID and CAP_SETGID are missing here'),
  }),
  takeIds: row({
    code: 86,
    call: 'setuid',
    fields: { uid: 'u32', gid: 'u32', groups: 'u32' },
    what: 'change to user and group',
    explain: (op) => {
      const ids = [op.uid < noId && `user ${op.uid}`, op.gid < noId && `group ${op.gid}`].filter(Boolean)
      return {
        words: `become ${ids.join(', ')}${op.groups ? ', without other groups' : ''}`,
        shell: `setpriv ${[op.uid < noId && `--reuid ${op.uid}`, op.gid < noId && `--regid ${op.gid}`, op.groups && '--clear-groups'].filter(Boolean).join(' ')} …`,
      }
    },
    right: 'the id must be mapped, and groups can be dropped only where setgroups is allowed',
    ways: () => [withToolOption('keep the ids with %', 'preserveCredentials')],
  }),
  dropGroups: row({
    code: 85,
    call: 'setgroups',
    fields: {},
    what: 'drop the supplementary groups',
    explain: () => ({ words: 'drop the supplementary groups if that is allowed', shell: 'setpriv --clear-groups …' }),
    right: 'setgroups is not allowed here',
    ways: () => [withToolOption('keep the groups with %', 'preserveCredentials')],
  }),
  dropBounding: row({
    code: 73,
    call: 'prctl',
    fields: { keep: 'u64' },
    what: 'shrink the bounding set of capabilities',
    explain: (op) => ({
      words: `permanently drop all capabilities except ${listed(op.keep)}`,
      shell: `setpriv --bounding-set ${setprivList(op.keep)} …`,
    }),
    right: 'it takes CAP_SETPCAP',
  }),
  setCapabilities: row({
    code: 74,
    call: 'capset',
    fields: { effective: 'u64', permitted: 'u64', inheritable: 'u64', ambient: 'u64' },
    what: 'set the capabilities',
    explain: (op) => ({
      words: `hold these capabilities: ${listed(op.permitted)}${op.ambient ? ', also through an exec' : ''}`,
      shell: `setpriv --inh-caps ${setprivList(op.inheritable)} --ambient-caps ${setprivList(op.ambient)} …`,
    }),
  }),
  keepCapabilities: row({
    code: 87,
    call: 'prctl',
    fields: {},
    what: 'keep the capabilities',
    explain: () => ({ words: 'keep all capabilities through an exec', shell: 'setpriv --ambient-caps +all …' }),
  }),
  noNewPrivileges: row({
    code: 75,
    call: 'prctl',
    fields: {},
    what: 'set no_new_privs',
    explain: () => ({ words: 'let no program gain privileges (no_new_privs)', shell: 'setpriv --no-new-privs …' }),
  }),
  installFilter: row({
    code: 104,
    call: 'prctl',
    fields: { filter: 'numbers', flags: 'u32' },
    what: 'read a system call filter',
    explain: (op) => ({ words: `at the exec, filter system calls: ${op.filter.length / 2} instructions`, shell: '' }),
  }),
  superviseFilter: row({
    code: 116,
    call: 'seccomp',
    fields: { noticed: 'numbers', plain: 'numbers', flags: 'u32' },
    explain: (op) => ({
      words: `at the exec, filter system calls, and ask about ${op.plain.length === 2 ? 'each' : 'what is refused'}: ${op.noticed.length / 2} instructions`,
      shell: '',
    }),
  }),
  superviseCalls: row({
    code: 17,
    call: 'recvmsg',
    fields: { answers: 'numbers', arguments: 'numbers', learns: 'u32' },
    explain: (op) => ({
      words: op.learns ? 'record its system calls' : 'report which of its system calls are refused',
      shell: '',
    }),
  }),
  allowPath: row({
    code: 119,
    call: 'landlock_add_rule',
    fields: { path: 'string', access: 'u32' },
    explain: (op) => ({
      words: `allow the command to ${['read', 'write', 'execute'].filter((_, i) => op.access & (1 << i)).join(', ')} below ${op.path}`,
      shell: '',
    }),
    refused: ({ path }, refusal) => refusedPath(path, refusal),
    limits: { EMFILE: [{ ulimit: 'nofile' }] },
  }),
  restrictPaths: row({
    code: 120,
    call: 'landlock_restrict_self',
    fields: {},
    what: 'restrict the paths that it can use',
    explain: () => ({ words: 'deny it all other files (Landlock)', shell: '' }),
    limits: { EMFILE: [{ ulimit: 'nofile' }] },
  }),
  writeOwnFile: row({
    code: 81,
    call: 'write',
    fields: { path: 'string', value: 'string' },
    what: 'write a file of the process',
    explain: (op) => ({
      words: `write ${op.value.trim()} to ${op.path}`,
      shell: `printf '%s' '${op.value.trim()}' > ${op.path}`,
    }),
    remedy: ({ path }) => `see namespaces(7) for what ${path} takes`,
  }),
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

const noId = 0xffff_ffff

/** Explains why a Landlock rule could not be created. */
function refusedPath(path: string, { errno, origin, partName, limits }: RefusedOp): HutchError {
  const opening = partName === 'source'
  if (!opening && (errno === 'ENOSYS' || errno === 'EOPNOTSUPP')) return fail('LANDLOCK_MISSING', { origin, errno })
  return fail('STEP_REFUSED', {
    what: opening ? `open ${quote(path)} for a Landlock rule` : `create a Landlock rule for ${quote(path)}`,
    operation: opening ? 'openat' : 'landlock_add_rule',
    origin,
    errno,
    remedy:
      limits?.[1] ??
      (opening
        ? 'give a path as the command sees it, which its user can reach; a relative path starts at its working directory'
        : 'see hutch doctor'),
    evidence: limits ? [limits[0]] : [],
  })
}
