// SPDX-License-Identifier: Apache-2.0
// hutch cgroup create: creates groups with limits and an owner, all or nothing, and prints their paths.
import { delegateGroup } from '../../cgroup/create.ts'
import { makeGroup } from '../../cgroup/group.ts'
import { parseGroupPath } from '../../cgroup/path.ts'
import { fail, HutchError, nameOptions } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { readUser } from '../../host/passwd.ts'
import { commandLineNames } from '../../options/names.ts'
import { writeStderr } from '../../system/stderr.ts'
import { print } from '../../system/stdout.ts'
import { keepScope, needsKeeper, releaseScope } from '../../systemd/lasting-scope.ts'
import { formatJson } from '../../text/quote.ts'
import type { Command } from '../command.ts'
import { limitFlags, parseSetting, readLimitFlags } from './assignment.ts'

/**
 * Returns the parent of a new group if none is given. On a host with systemd, this is a scope that systemd delegates; otherwise undefined.
 */
async function defaultParent(): Promise<string | undefined> {
  const host = readHost()
  if (!needsKeeper(host)) return undefined
  try {
    return (await keepScope()).slice(host.unified!.mount.length)
  } catch (error) {
    // without systemd, root creates the group at the root of the tree; other users get the error
    if (host.uid !== 0 || !HutchError.is(error) || error.code !== 'SYSTEMD_UNREACHABLE') throw error
    writeStderr(
      `hutch: ${nameOptions(error, commandLineNames).message}\n  so the group is at the root of the tree, beside systemd's groups\n`,
    )
    return undefined
  }
}

export const command: Command = {
  flags: {
    ...limitFlags,
    set: { value: 'FILE=VALUE', short: 's', repeat: true, help: 'Any other kernel file.' },
    controllers: {
      value: 'LIST',
      short: 'c',
      help: 'Controllers to enable.',
      default: 'cpu,io,memory,pids, if the host has them',
    },
    parent: { value: 'GROUP', help: 'Create the group below this group.' },
    owner: {
      value: 'USER[:GROUP]',
      help: 'Delegate the group to this user, who can then create groups below it but not change its limits.',
    },
    evacuate: {
      help: 'If processes in an ancestor prevent the creation, move them to a child group of that ancestor.',
    },
    json: { help: 'Print the group as JSON: its path and its directories.' },
    'exist-ok': { help: 'If the group exists, set its limits instead of failing.' },
  },
  words: 'GROUP…',
  minWords: 1,
  async main({ values, rest: names }) {
    const assignments = [...readLimitFlags(values), ...(values.set ?? []).map((word) => parseSetting(word, '--set'))]
    const parent =
      values.parent?.at(-1) ?? (names.every((name) => name.startsWith('/')) ? undefined : await defaultParent())
    // check all names first, so that an invalid one creates nothing
    for (const name of names) {
      if (/^[a-z0-9_]+\.[\w.]+=/.test(name))
        throw fail('OPTION_INVALID', {
          name: 'GROUP',
          value: name,
          why: "this is a file's value, not the name of a group",
          accepted: `--set ${name}`,
        })
      parseGroupPath(name, 'GROUP')
    }
    const owner = values.owner && readUser(values.owner.at(-1)!, '--owner')
    // the last value of a file
    const files = Object.entries(Object.fromEntries(assignments.map(({ file, value }) => [file, value])))
    try {
      for (const name of names) {
        const group = await makeGroup(name, files, {
          mayExist: values['exist-ok'] !== undefined,
          evacuate: values.evacuate !== undefined,
          ...(values.controllers && { controllers: values.controllers.at(-1)!.split(',').filter(Boolean) }),
          ...(parent !== undefined && (values.parent || !name.startsWith('/')) && { parent }),
        })
        if (owner) delegateGroup(group, owner.uid, owner.gid)
        print(values.json ? `${formatJson({ path: group.path, directories: group.directories })}\n` : `${group.path}\n`)
      }
    } catch (error) {
      // the scope was created for this group: remove it again
      releaseScope(readHost())
      throw error
    }
    return 0
  },
}
