// SPDX-License-Identifier: Apache-2.0
// Applies templates of cgconfig.conf(5): the settings and the owner of groups that rules create.

import { changeMode, changeOwner, readFileNames, writeGroupFile } from '../cgroup/files.ts'
import { isUnified } from '../cgroup/group-state.ts'
import { planRaw } from '../cgroup/set-file.ts'
import { explainWrite } from '../cgroup/write-errors.ts'
import { fail } from '../errors/errors.ts'
import { readUser } from '../host/passwd.ts'
import type { GroupSection, PermSection } from './config-file.ts'
import { type RuleTarget, targetDirectory } from './match.ts'
import type { Destination, Rule } from './parse.ts'

/** Gives each destination the template that has the same path. Paths are compared as written in the files, such as `users/%u`. */
export function joinTemplates(rules: readonly Rule[], templates: readonly GroupSection[]): Rule[] {
  const byPath = new Map(templates.map((template) => [template.path, template]))
  const join = (destination: Destination): Destination => {
    const template = byPath.get(formatDestination(destination))
    return template ? { ...destination, template } : destination
  }
  return rules.map((rule) => ({ ...rule, destinations: rule.destinations.map(join) }))
}

/** Formats a destination path as written in the rule, without leading and trailing slashes. */
function formatDestination({ path }: Destination): string {
  const text = path.map((part) => (typeof part === 'string' ? part : `%${part.letter}`)).join('')
  return text.split('/').filter(Boolean).join('/')
}

/** Applies the settings of a template to a new group. @throws CGROUP_WRITE_REFUSED, CGROUP_FILE_MISSING, USER_UNKNOWN */
export function applyTemplate(target: RuleTarget, template: GroupSection): void {
  const directory = targetDirectory(target)
  const unified = isUnified(directory)
  for (const { name, settings } of template.controllers) {
    if (!unified && !target.controllers.includes(name)) continue
    const place = { path: `/${target.path}`, directories: { [unified ? '' : name]: directory } }
    for (const { file, value } of settings)
      for (const write of planRaw(place, file, value)) {
        const errno = writeGroupFile(write.directory, write.file, write.value)
        if (errno !== undefined) throw explainWrite({ ...write, errno })
      }
  }
  const { admin, task } = template.perm ?? { admin: {}, task: {} }
  const files = readFileNames(directory)
  const joining = files.filter((file) => file === 'tasks' || file === 'cgroup.procs')
  const origin = `the template ${template.path}`
  grant(directory, ['.', ...files], admin, origin, admin.fperm)
  if (admin.dperm !== undefined) setMode(directory, admin.dperm, origin)
  grant(directory, joining, task, origin, task.fperm)
}

function grant(directory: string, files: string[], { uid, gid }: PermSection, origin: string, mode?: string): void {
  const owner = uid === undefined && gid === undefined ? undefined : readOwner(uid, gid, origin)
  for (const file of files) {
    if (owner) changeOwner(`${directory}/${file}`, owner.uid, owner.gid)
    if (mode !== undefined && file !== '.') setMode(`${directory}/${file}`, mode, origin)
  }
}

/** Returns the owner's user and group ids. -1 means that the id is not given and stays unchanged. */
function readOwner(uid: string | undefined, gid: string | undefined, origin: string): { uid: number; gid: number } {
  return {
    uid: uid === undefined ? -1 : readUser(uid, origin).uid,
    gid: gid === undefined ? -1 : readUser(`0:${gid}`, origin).gid,
  }
}

function setMode(path: string, text: string, origin: string): void {
  if (!/^[0-7]{3,4}$/.test(text))
    throw fail('OPTION_INVALID', {
      name: origin,
      value: text,
      why: 'not a mode',
      accepted: 'octal digits, such as 0750',
    })
  changeMode(path, Number.parseInt(text, 8))
}
