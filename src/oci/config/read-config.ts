// SPDX-License-Identifier: Apache-2.0
// Reads config.json of a bundle (OCI runtime specification 1.3, Linux), and the process of `exec --process`. The input
// is untrusted. As the specification requires, unknown properties are ignored, and invalid values are errors. Pure.
import { JsonError, parseJson } from '../../text/json.ts'
import { idMapShape, linuxShape } from './linux-table.ts'
import { type OciProcess, processShape } from './process-table.ts'
import { type OciResources, resourcesShape } from './resources-table.ts'
import {
  absolutePath,
  flag,
  list,
  mapOf,
  object,
  refuseProperty,
  type Shape,
  string,
  type ValueOf,
  whole,
} from './shape.ts'

/** The maximum length of a document. The environment and arguments of a process have at most 2 MiB. */
const maxLength = 1 << 22

const hooks = list(
  object({ path: absolutePath }, { args: list(string()), env: list(string()), timeout: whole(1, 2 ** 31 - 1) }),
)

/** All properties of config.json that apply to Linux. */
export const configShape = object(
  { ociVersion: string(/^1\.\d+\.\d+([-+][\w.+-]*)?$/, 'a version 1.x of the specification, such as 1.3.0') },
  {
    process: processShape,
    root: object({ path: string(/./s, 'a path') }, { readonly: flag }),
    hostname: string(),
    domainname: string(),
    mounts: list(
      object(
        { destination: string(/./s, 'an absolute path') },
        {
          type: string(),
          source: string(),
          options: list(string()),
          uidMappings: idMapShape,
          gidMappings: idMapShape,
        },
      ),
    ),
    hooks: object(
      {},
      {
        prestart: hooks,
        createRuntime: hooks,
        createContainer: hooks,
        startContainer: hooks,
        poststart: hooks,
        poststop: hooks,
      },
    ),
    annotations: mapOf(string(), string(/./s, 'a key that is not empty')),
    linux: linuxShape,
  },
)

/** The configuration of a container. */
export type OciConfig = ValueOf<typeof configShape>

/** Reads the text of config.json. @throws OCI_CONFIG_INVALID */
export function readConfig(document: string): OciConfig {
  return readDocument(document, configShape)
}

/** Reads the text of the file of `exec --process`. @throws OCI_CONFIG_INVALID */
export function readProcess(document: string): OciProcess {
  return readDocument(document, processShape)
}

/** Reads the text of the file of `update --resources`. @throws OCI_CONFIG_INVALID */
export function readResources(document: string): OciResources {
  return readDocument(document, resourcesShape)
}

function readDocument<T>(document: string, shape: Shape<T>): T {
  if (document.length > maxLength)
    throw refuseProperty('the document', undefined, `it has ${document.length} characters`, `at most ${maxLength}`)
  let value: unknown
  try {
    value = parseJson(document, { exact: true })
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw refuseProperty('the document', undefined, `not JSON: ${error.message}`, 'a JSON document')
  }
  return shape.read(value, '')
}
