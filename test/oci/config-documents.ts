// SPDX-License-Identifier: Apache-2.0
// Documents for tests of config.json.

/** Returns a small valid document in which the properties at these paths have other values. */
export function minimal(changes: { [path: string]: unknown } = {}): { [key: string]: unknown } {
  const document: { [key: string]: unknown } = {
    ociVersion: '1.2.0',
    process: { cwd: '/', args: ['sh'] },
    root: { path: 'rootfs' },
    linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
  }
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split('.')
    const last = keys.pop()!
    const parent = keys.reduce((object, key) => {
      object[key] ??= {}
      return object[key] as { [key: string]: unknown }
    }, document)
    parent[last] = value
  }
  return document
}
