// SPDX-License-Identifier: Apache-2.0
// Files of the misc controller, the same on v1 and v2: cgroup-v2.rst, "Misc Interface Files".
import type { Entries, Keys } from './entry.ts'

const keys: Keys = {
  sev: ['count', 'Address space ids for encrypted virtual machines (AMD SEV)'],
  sev_es: ['count', 'Address space ids for virtual machines with encrypted memory and registers (AMD SEV-ES)'],
  tdx: ['count', 'Key ids for encrypted virtual machines (Intel TDX)'],
  sgx_epc: ['bytes', 'Enclave memory (Intel SGX)'],
}
const eventKeys: Keys = { '<resource>.max': ['count', 'How often the limit of this resource was reached'] }

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
    meaning: 'Use of each resource by the group and its descendants',
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
    meaning: 'How often limits of the group or a descendant were reached; changes can be watched',
    keys: eventKeys,
  },
  'misc.events.local': {
    access: 'read',
    root: 'never',
    format: 'flat-keyed',
    since: '6.11',
    meaning: 'How often this group’s own limits were reached; changes can be watched',
    keys: eventKeys,
  },
} satisfies Entries
