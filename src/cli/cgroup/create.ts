// SPDX-License-Identifier: Apache-2.0
// hutch cgroup create: a group with its limits and its owner, all or nothing; prints its path.
import { Cgroup } from '../../cgroup/cgroup.ts'
import { parseGroupPath } from '../../cgroup/path.ts'
import { fail, HutchError } from '../../errors.ts'
import { readHost } from '../../host/host.ts'
import { readUser } from '../../host/ids.ts'
import { keepScope, needsKeeper, releaseScope } from '../../systemd/keeper.ts'
import type { Command } from '../command.ts'
import { print } from '../output.ts'
import { tell } from '../stderr.ts'
import { limitFlags, parseAssignment, readLimitFlags } from './assignment.ts'

/** On a machine that systemd runs, a scope that it delegates; else what Cgroup.create takes. */
async function usualParent(): Promise<string | undefined> {
  const host = readHost()
  if (!needsKeeper(host)) return undefined
  try {
    return (await keepScope()).slice(host.unified!.mount.length)
  } catch (error) {
    // root can do without
    if (host.uid !== 0 || !HutchError.is(error) || error.code !== 'SYSTEMD_UNREACHABLE') throw error
    tell(`hutch: ${error.message}\n  so the group stands at the root of the tree, beside systemd's own\n`)
    return undefined
  }
}

export const command: Command = {
  flags: {
    ...limitFlags,
    set: { value: 'FILE=VALUE', short: 's', repeat: true, help: 'any other kernel file; may be repeated' },
    controllers: { value: 'LIST', short: 'c', help: 'controllers it is to have (cpu,io,memory,pids where there are)' },
    parent: { value: 'GROUP', help: 'make it below this group' },
    owner: { value: 'USER[:GROUP]', help: 'delegate it: this user may make groups in it, but not lift its limits' },
    evacuate: { help: 'move processes that are in the way in a group above it to a leaf there' },
    'exist-ok': { help: 'no error if it is there: then its limits are set' },
  },
  words: 'GROUP…',
  minWords: 1,
  async main({ values, rest: names }) {
    const assignments = [...readLimitFlags(values), ...(values.set ?? []).map((word) => parseAssignment(word, '--set'))]
    const parent =
      values.parent?.at(-1) ?? (names.every((name) => name.startsWith('/')) ? undefined : await usualParent())
    // a bad word among them makes nothing
    for (const name of names) {
      if (/^[a-z0-9_]+\.[\w.]+=/.test(name))
        throw fail('OPTION_INVALID', {
          name: 'GROUP',
          value: name,
          why: 'this is a value for a file, not the name of a group',
          accepted: `--set ${name}`,
        })
      parseGroupPath(name, 'GROUP')
    }
    const owner = values.owner && readUser(values.owner.at(-1)!, '--owner')
    try {
      for (const name of names) {
        const group = await Cgroup.create(name, {
          files: Object.fromEntries(assignments.map(({ file, value }) => [file, value])) as { [file: string]: never },
          mayExist: values['exist-ok'] !== undefined,
          evacuate: values.evacuate !== undefined,
          ...(values.controllers && { controllers: values.controllers.at(-1)!.split(',').filter(Boolean) }),
          ...(parent !== undefined && (values.parent || !name.startsWith('/')) && { parent }),
        })
        if (owner) await group.delegate(owner.uid, owner.gid)
        print(`${group.path}\n`)
      }
    } catch (error) {
      // the scope that was to hold it
      releaseScope(readHost())
      throw error
    }
    return 0
  },
}
