// SPDX-License-Identifier: Apache-2.0
// Files of the misc controller, the same on v1 and v2: cgroup-v2.rst, "Misc Interface Files".
import type { Entries, Keys } from './entry.ts'

const keys: Keys = {
  sev: ['count', 'Address space ids for encrypted guests (AMD SEV)'],
  sev_es: ['count', 'Address space ids for encrypted guests with encrypted state (AMD SEV-ES)'],
  tdx: ['count', 'Key ids for encrypted guests (Intel TDX)'],
  sgx_epc: ['bytes', 'Enclave memory (Intel SGX)'],
}
const eventKeys: Keys = { '<resource>.max': ['count', 'Times the limit of this resource was reached'] }

export const misc = {
  'misc.capacity': {
    access: 'read',
    root: 'only',
    format: 'flat-keyed',
    since: '5.13',
    meaning: 'Total of each resource on the machine',
    lines: 'resource',
    keys,
  },
  'misc.current': {
    access: 'read',
    format: 'flat-keyed',
    since: '5.13',
    meaning: 'Use of each resource, here and below',
    lines: 'resource',
    keys,
  },
  'misc.peak': {
    access: 'read',
    format: 'flat-keyed',
    since: '6.11',
    meaning: 'Peak use of each resource',
    lines: 'resource',
    keys,
  },
  'misc.max': {
    access: 'read-write',
    root: 'never',
    format: 'flat-keyed',
    since: '5.13',
    default: 'max',
    accepts: 'a resource and a limit, such as sev 4; max removes the limit',
    meaning: 'Maximum use of each resource',
    lines: 'resource',
    keys,
  },
  'misc.events': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '5.16',
    meaning: 'How often limits were reached, here and below; can be watched',
    keys: eventKeys,
  },
  'misc.events.local': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '6.11',
    meaning: 'How often this group’s own limits were reached; can be watched',
    keys: eventKeys,
  },
} satisfies Entries
