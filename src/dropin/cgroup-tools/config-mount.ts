// SPDX-License-Identifier: Apache-2.0
// Mounts the v1 hierarchies of a cgconfig.conf's mount section; existing mounts stay. Exports mountAll.

import { fail } from '../../errors/errors.ts'
import { forgetHost, readHost } from '../../host/host.ts'
import type { Configuration } from '../../rules/config-file.ts'
import { mkdirSync, rmdirSync } from '../../system/files.ts'
import { spawnSync } from '../../system/processes.ts'
import { statuses, withStatus } from '../exit-status.ts'
import type { UndoList } from './create.ts'
import { findNamedHierarchy } from './group-spec.ts'

/** Mounts all hierarchies of a cgconfig.conf that are not mounted, and records how to undo that. @throws CONFIG_INVALID, FILE_REFUSED */
export function mountAll(mounts: Configuration['mounts'], origin: string, undo: UndoList): void {
  // controllers with the same directory are mounted together, in one hierarchy
  const byDirectory = new Map<string, string[]>()
  for (const { controller, directory, line } of mounts) {
    if (
      !/^(name=)?[\w.-]{1,64}$/.test(controller) ||
      !/^\/[^\0-\x1f,]*$/.test(directory) ||
      directory.split('/').includes('..')
    )
      throw withStatus(
        statuses.mountFailed,
        fail('CONFIG_INVALID', {
          origin,
          line,
          found: `the mount ${controller} = ${directory}`,
          wanted: 'CONTROLLER = /an/absolute/path',
        }),
      )
    if (mountOf(controller) !== directory)
      byDirectory.set(directory, [...(byDirectory.get(directory) ?? []), controller])
  }
  for (const [directory, controllers] of byDirectory) mountOne(directory, controllers, undo)
  if (byDirectory.size > 0) forgetHost()
}

function mountOf(controller: string): string | undefined {
  return controller.startsWith('name=') ? findNamedHierarchy(controller)?.mount : readHost().v1[controller]?.mount
}

function mountOne(directory: string, controllers: string[], undo: UndoList): void {
  // a hierarchy that has a name but no controllers needs the mount option `none`
  const options = controllers.every((name) => name.startsWith('name=')) ? ['none', ...controllers] : controllers
  const refuse = (errno: string, cause?: unknown) =>
    withStatus(
      statuses.mountFailed,
      fail(
        'FILE_REFUSED',
        {
          what: `mount ${controllers.join(',')} at`,
          path: directory,
          errno,
          remedy:
            'a controller of v2 or of another hierarchy cannot be mounted separately; remove the line to use it where it is',
        },
        cause,
      ),
    )
  let made: string | undefined
  try {
    made = mkdirSync(directory, { recursive: true })
  } catch (error) {
    throw refuse((error as NodeJS.ErrnoException).code ?? 'EIO', error)
  }
  if (made !== undefined) undo.push(() => rmdirSync(directory))
  const mount = spawnSync('mount', ['-t', 'cgroup', '-o', options.join(','), 'cgroup', directory], {
    encoding: 'utf8',
  })
  if (mount.status !== 0) throw refuse(mount.error?.message ?? mount.stderr.trim().split('\n')[0] ?? 'EINVAL')
  undo.push(() => {
    spawnSync('umount', [directory])
    forgetHost()
  })
}
