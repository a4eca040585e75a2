// SPDX-License-Identifier: Apache-2.0
// The versions that the runtime reports. Pure.

/** Versions of the OCI runtime specification, the oldest and the newest that is understood. */
export const ociVersions = { min: '1.0.0', max: '1.3.0' } as const

/**
 * Returns the lines of --version. dockerd takes what stands behind `version` in the first line, and the commit; a released version stands for
 * its commit.
 */
export function formatVersion(version: string): string {
  return `hutch-oci version ${version}\ncommit: v${version}\nspec: ${ociVersions.max}\n`
}
