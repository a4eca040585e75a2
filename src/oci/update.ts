// SPDX-License-Identifier: Apache-2.0
// Changes the limits of a container, by options or by a file with resources.
import { containerStatus } from '../container/status.ts'
import { readContainer } from '../container/store.ts'
import { fail } from '../errors/errors.ts'
import { readHost } from '../host/host.ts'
import type { OciCallOf } from './arguments.ts'
import { readResources } from './config/read-config.ts'
import type { OciContext } from './context.ts'
import { readDocumentFile } from './document-file.ts'
import { updateGroups } from './resources/update.ts'
import { resourcesOfFlags } from './resources/update-flags.ts'

export async function run({ id, options }: OciCallOf<'update'>, { root }: OciContext): Promise<number> {
  const state = readContainer(root, id)
  const status = containerStatus(root, state)
  if (status === 'stopped') throw fail('CONTAINER_STATUS', { id, action: 'update', status })
  const unsupported = (['l3-cache-schema', 'mem-bw-schema'] as const).find((name) => options[name] !== undefined)
  if (unsupported)
    throw fail('OPTION_CONFLICT', {
      name: `--${unsupported}`,
      why: 'the monitoring group of a container is set only at its creation',
      remedy: 'leave it out',
    })
  const { resources: file } = options
  const resources =
    file === undefined
      ? resourcesOfFlags(options)
      : readResources(readDocumentFile(file, 'give the path of a file with resources as JSON, or - for stdin'))
  await updateGroups(state.groups, resources, readHost(), state.unit)
  return 0
}
