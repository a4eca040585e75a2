// SPDX-License-Identifier: Apache-2.0
// cgclassify: moves running processes. A failed move does not stop the others.
import { writeGroupFile } from '../../cgroup/files.ts'
import { explainWrite } from '../../cgroup/write-errors.ts'
import { fail } from '../../errors/errors.ts'
import { type Host, readHost } from '../../host/host.ts'
import type { ParsedOptions } from '../getopt.ts'
import { complain, ignoreDelegated, remark, toolMain, valuesOf } from '../tool.ts'
import { placeByRules, reportSticky } from './by-rules.ts'
import { groupsToJoin } from './cgexec.ts'
import { type GroupSpec, parseGroupSpec } from './group-spec.ts'

const name = 'cgclassify'

/** Exit statuses of cgclassify: for a failed move, and for a word that is not a process id. The last failure determines the status. */
const moveFailed = 1
const noPid = 2

export const main = toolMain({
  name,
  usage: ['[-g CONTROLLERS:PATH …] [--sticky | --cancel-sticky] PID…'],
  purpose: 'Moves running processes, with all their threads, to control groups.',
  options: {
    g: {
      value: 'CONTROLLERS:PATH',
      help: 'the group to move the processes to; can be repeated; /etc/cgrules.conf by default',
    },
    sticky: { help: 'hutch rules, or cgrulesengd, does not move the process from now on' },
    'cancel-sticky': { help: 'and no longer' },
    ...ignoreDelegated,
    r: { help: 'accepted, without effect: hutch starts no idle process in a scope' },
  },
  permute: false,
  run,
})

async function run(parsed: ParsedOptions): Promise<number> {
  const specs = valuesOf(parsed, 'g').map((text) => parseGroupSpec(text, '-g'))
  if (parsed.words.length === 0 && specs.length === 0)
    throw fail('WORDS_MISSING', { usage: 'cgclassify -g CONTROLLERS:PATH PID…' })
  if (valuesOf(parsed, 'r').length > 0) remark(name, '-r has no effect: hutch starts no idle process in a scope')
  const host = readHost()
  const sticky = parsed.options.map(([key]) => key).findLast((key) => key === 'sticky' || key === 'cancel-sticky')
  const flags = sticky === undefined ? undefined : sticky === 'sticky' ? 1 : 2
  let status = 0
  for (const word of parsed.words) status = (await classify(host, specs, word, flags)) || status
  return status
}

async function classify(host: Host, specs: GroupSpec[], word: string, flags: 1 | 2 | undefined): Promise<number> {
  if (!/^\d{1,10}$/.test(word)) {
    await complain(
      name,
      fail('OPTION_INVALID', {
        name: 'a process',
        value: word,
        why: 'not a process id',
        accepted: 'numbers, such as those of pidof and pgrep, after the options',
      }),
    )
    return noPid
  }
  try {
    // refuse 0: to the kernel it would mean the writing process, cgclassify
    if (Number(word) === 0)
      throw fail('OPTION_INVALID', {
        name: 'a process',
        value: word,
        why: 'no process has this id',
        accepted: 'an id from 1 on',
      })
    for (const directory of groupsToJoin(host, specs, moveFailed)) {
      const errno = writeGroupFile(directory, 'cgroup.procs', word)
      if (errno !== undefined) throw explainWrite({ directory, file: 'cgroup.procs', value: word, errno })
    }
    if (specs.length === 0) placeByRules(Number(word))
    if (flags !== undefined) await reportSticky({ pid: Number(word), flags })
    return 0
  } catch (error) {
    await complain(name, error)
    return moveFailed
  }
}
