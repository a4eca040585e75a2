// SPDX-License-Identifier: Apache-2.0
// Applies a cgconfig.conf, completely or not at all.

import { readGroupFile, writeGroupFile } from '../../cgroup/files.ts'
import { planRaw } from '../../cgroup/set-file.ts'
import { explainWrite } from '../../cgroup/write-errors.ts'
import { fail } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import type { Configuration, GroupSection, Perm } from '../../rules/config-file.ts'
import { orStatus, statuses, withStatus } from '../exit-status.ts'
import { mountAll } from './config-mount.ts'
import { createIn, type Owner, type Permissions, parseMode, parseOwner, takeBack, type UndoList } from './create.ts'
import { directoryIn, hierarchyOf, type Mounted, mountedHierarchies } from './group-spec.ts'

/** A step of loading: one controller of one group, with its hierarchy and settings. */
interface Step {
  hierarchy: Mounted
  path: string
  controller: GroupSection['controllers'][number]
  permissions: Permissions
}

/**
 * Applies a cgconfig.conf. `defaults` are the permissions of groups for which neither the group nor a default section of the file has any.
 */
export function loadConfiguration(configuration: Configuration, origin: string, defaults: Permissions): void {
  const { mounts, namespaces, systemd } = configuration
  if (mounts.length > 0 && namespaces.length > 0)
    throw withStatus(
      statuses.mountAndNamespace,
      fail('CONFIG_INVALID', {
        origin,
        line: namespaces[0]!.line,
        found: 'a namespace section beside a mount section',
        wanted: 'one of the two',
      }),
    )
  if (systemd)
    throw withStatus(
      statuses.configInvalid,
      fail('OPTION_CONFLICT', {
        name: `the systemd section of ${origin}`,
        why: 'the drop-ins create plain groups, not systemd scopes',
        remedy: `leave it out, or: systemd-run --scope --unit ${systemd.scope} --slice ${systemd.slice} -p Delegate=yes COMMAND`,
      }),
    )
  const undo: UndoList = []
  try {
    mountAll(mounts, origin, undo)
    for (const step of planSteps(configuration, origin, defaults)) {
      createIn(step.hierarchy, step.path, step.permissions, undo)
      orStatus(statuses.invalid, () => applySettings(step, undo))
    }
  } catch (error) {
    takeBack(undo)
    throw error
  }
}

/** Plans all steps before anything is created. @throws CONFIG_INVALID, USER_UNKNOWN */
function planSteps({ groups, namespaces, defaultPerm }: Configuration, origin: string, defaults: Permissions): Step[] {
  const all = mountedHierarchies(readHost())
  return groups.flatMap((group) => {
    const perm = group.perm ?? defaultPerm
    const permissions = perm ? orStatus(statuses.configInvalid, () => readPerm(perm, origin, group.line)) : defaults
    return group.controllers.map((controller): Step => {
      const hierarchy = controller.name === '' ? undefined : hierarchyOf(all, controller.name)
      if (!hierarchy)
        throw withStatus(
          statuses.configInvalid,
          fail('CONFIG_INVALID', {
            origin,
            line: controller.line,
            found: `the controller ${controller.name}, which no hierarchy has`,
            wanted: `one of ${all.flatMap((one) => one.controllers).join(', ')}`,
          }),
        )
      const above = namespaces.find((one) => one.controller === controller.name)?.path
      const path = [above, group.path].filter((part) => part !== undefined && part !== '').join('/')
      const own = controller.name === 'cgroup' ? [] : [controller.name]
      return { hierarchy: { ...hierarchy, controllers: own }, path, controller, permissions }
    })
  })
}

function readPerm({ task, admin }: Perm, origin: string, line: number): Permissions {
  const where = `perm of ${origin}:${line}`
  const modes = { directoryMode: admin.dperm, fileMode: admin.fperm, tasksMode: task.fperm }
  const owners = { admin: readOwnerOf(admin, where), tasks: readOwnerOf(task, where) }
  return Object.fromEntries([
    ...Object.entries(owners).filter(([, owner]) => owner !== undefined),
    ...Object.entries(modes).flatMap(([key, text]) => (text === undefined ? [] : [[key, parseMode(text, where)]])),
  ]) as Permissions
}

function readOwnerOf({ uid, gid }: { uid?: string; gid?: string }, origin: string): Owner | undefined {
  if (uid === undefined && gid === undefined) return undefined
  return parseOwner(`${uid ?? ''}${gid === undefined ? '' : `:${gid}`}`, origin)
}

/** Returns the name of a v2 controller on v1, where io is called blkio. */
function legacyName(controller: string): string {
  return controller === 'io' ? 'blkio' : controller
}

function applySettings({ hierarchy, path, controller }: Step, undo: UndoList): void {
  const paths = {
    path: `/${path}`,
    directories: { [hierarchy.unified ? '' : legacyName(controller.name)]: directoryIn(hierarchy, path) },
  }
  // skip an empty value, such as an io.max without limits: it sets nothing
  for (const setting of controller.settings)
    for (const { directory, file, value } of planRaw(paths, setting.file, setting.value)) {
      const before = readGroupFile(directory, file)
      const errno = writeGroupFile(directory, file, value)
      if (errno !== undefined) throw explainWrite({ directory, file, value, errno })
      if (before !== undefined && before !== '' && !before.includes('\n'))
        undo.push(() => writeGroupFile(directory, file, before))
    }
}
