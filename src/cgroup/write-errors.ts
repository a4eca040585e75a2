// SPDX-License-Identifier: Apache-2.0
// Makes the errors for what the kernel refuses of a group. The errno alone is misleading, so each error adds the group's state.

import { fail, type HutchError } from '../errors/errors.ts'
import { effectiveUser } from '../host/passwd.ts'
import { nearest } from '../text/nearest.ts'
import { catalogFiles, describeFile } from './controllers/catalog.ts'
import { delegate, type Refused, readOnly, reasonFor } from './errno-reasons.ts'
import { isGroup, readChildren, readGroupFile, readOwner, readWords } from './files.ts'
import { describeProcesses, explainChain, isRoot, isUnified, shortenList } from './group-state.ts'
import type { LimitReason } from './limit-reasons.ts'
import { controllerOf } from './v1/translate.ts'
import { findEquivalent, formatEquivalent } from './v1/v1-on-v2.ts'

/** Returns the error for a file that the kernel refused to write. */
export function explainWrite(refused: Refused): HutchError {
  const { directory, file, value, errno } = refused
  if (errno === 'ENOENT' && readOwner(`${directory}/${file}`) === undefined)
    return explainMissing(directory, file, value)
  const { evidence, remedy } = reasonFor(refused)
  return fail('CGROUP_WRITE_REFUSED', { file, value, group: directory, errno, evidence, remedy })
}

/** Returns the error for a file that is missing or cannot be read. */
export function explainRead(directory: string, file: string, errno: string): HutchError {
  if (errno === 'ENOENT') return explainMissing(directory, file)
  const remedy = errno === 'EOPNOTSUPP' ? 'the kernel was built or booted without it (pressure: psi=1)' : delegate
  return fail('CGROUP_REFUSED', { what: `read ${file} of`, path: directory, errno, remedy })
}

/** Returns the error for a group that could not be created. */
export function explainMake(directory: string, errno: string): HutchError {
  const parent = directory.slice(0, directory.lastIndexOf('/'))
  const limitLine = (file: string) => {
    const limit = readGroupFile(parent, file)
    return limit === undefined || limit === 'max' ? [] : [`${file} of ${parent} is ${limit}`]
  }
  const reasons: { [errno: string]: LimitReason } = {
    EACCES: { evidence: [`user ${effectiveUser()} cannot write to ${parent}`], remedy: delegate },
    EPERM: { evidence: [], remedy: delegate },
    EROFS: { evidence: [], remedy: readOnly },
    EEXIST: { evidence: [], remedy: 'use it as it is, or remove it first: hutch cgroup rm' },
    ENOENT: { evidence: [`there is no ${parent}`], remedy: 'create the groups above it first' },
    EAGAIN: {
      evidence: [...limitLine('cgroup.max.descendants'), ...limitLine('cgroup.max.depth')],
      remedy: 'remove unused groups, or raise the limit',
    },
    ENOSPC: {
      evidence: [`groups of this controller that are being removed count too`],
      remedy: 'remove unused groups: a controller has at most 65535 ids',
    },
  }
  const { evidence, remedy } = reasons[errno] ?? { evidence: [], remedy: 'see hutch doctor' }
  return fail('CGROUP_REFUSED', { what: 'make the group', path: directory, errno, evidence, remedy })
}

/** Returns the error for a group that could not be removed. */
export function explainRemove(directory: string, errno: string): HutchError {
  const children = readChildren(directory)
  const inside = describeProcesses(directory)
  const reasons: { [errno: string]: LimitReason } = {
    EBUSY:
      children.length > 0
        ? {
            evidence: [`groups below it: ${shortenList(children)}`],
            remedy: 'remove them too: hutch cgroup rm --recursive',
          }
        : inside.length > 0
          ? {
              evidence: [`processes in it: ${shortenList(inside)}`],
              remedy: 'end or move them first: hutch cgroup rm --kill, or hutch cgroup move',
            }
          : { evidence: ['a process in it is exiting'], remedy: 'try again in a moment' },
    EACCES: { evidence: [], remedy: delegate },
    EPERM: {
      evidence: [],
      remedy: "the root of a hierarchy can't be removed; a group of another user can be removed only by its owner",
    },
    EROFS: { evidence: [], remedy: readOnly },
  }
  const { evidence, remedy } = reasons[errno] ?? { evidence: [], remedy: 'see hutch doctor' }
  return fail('CGROUP_REFUSED', { what: 'remove the group', path: directory, errno, evidence, remedy })
}

/** Returns what to use on v2 in place of a v1 file: file=value if the value is known, otherwise the file. */
function findOnV2(file: string, value: string): string | undefined {
  const found = value === '' ? undefined : findEquivalent(file, value)
  if (found) return formatEquivalent(found)
  const names = catalogFiles('v2').map((name) => name.replace('<size>', file.split('.')[1]!))
  return findEquivalent(file, '')?.file ?? names.find((name) => describeFile(name, 'v2')?.v1?.includes(file))
}

/** Suggests the file that was probably meant: memory.max for `memory`, or a file with similar spelling. */
function nearestFile(file: string, unified: boolean): string | undefined {
  const known = [...catalogFiles('v2'), ...(unified ? [] : catalogFiles('v1'))]
  const limit = findEquivalent(file, '')?.file ?? `${file}.max`
  const near = catalogFiles('v2').includes(limit) ? limit : (nearest(file, known) ?? nearest(`${file}.max`, known))
  return near === undefined ? undefined : `did you mean ${near}?`
}

/** Returns the error for a missing file of a group. Says which cause it found: a disabled controller, an older kernel, or a wrong name. */
function explainMissing(directory: string, file: string, value = ''): HutchError {
  const unified = isUnified(directory)
  const controller = controllerOf(file)
  const words = describeFile(file, unified ? 'v2' : 'v1')
  const missing = (evidence: string[], remedy: string) =>
    fail('CGROUP_FILE_MISSING', { file, group: directory, evidence, remedy })
  if (!isGroup(directory)) return missing([`there is no group ${directory}`], 'create it first: hutch cgroup create')
  if (!words) {
    const other = describeFile(file, unified ? 'v1' : 'v2')
    const onV2 = unified ? findOnV2(file, value) : undefined
    return other
      ? missing(
          [`${file} is a file of cgroup ${unified ? 'v1' : 'v2'}, and this hierarchy is ${unified ? 'v2' : 'v1'}`],
          onV2 === undefined ? 'hutch cgroup show lists the files of the group' : `use ${onV2}`,
        )
      : missing(
          ['hutch knows no kernel file with this name'],
          nearestFile(file, unified) ?? 'hutch cgroup show lists the files of the group',
        )
  }
  if (unified && controller !== 'cgroup' && !readWords(directory, 'cgroup.controllers').includes(controller))
    return missing(...explainChain(directory, controller))
  if (unified && isRoot(directory) && words.root === 'never')
    return missing(['the root group has no such file, because it covers the whole machine'], 'name a group below it')
  if (file.endsWith('.pressure') && readGroupFile(directory, 'cgroup.pressure') === '0')
    return missing(['cgroup.pressure of the group is 0, which hides it'], 'set cgroup.pressure to 1 there')
  return missing(
    words.since ? [`it came with Linux ${words.since}`] : ['this kernel was built without it'],
    'leave it out, or use a kernel that has this file',
  )
}
