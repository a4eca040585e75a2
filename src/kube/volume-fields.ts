// SPDX-License-Identifier: Apache-2.0
// Lists the fields of volumes: API reference v1, Volume and PersistentVolumeClaim. Pure.
import { acceptWords, exactlyOne, type FieldType, metadata, rule, selector } from './field-types.ts'

/** Kinds of volumes whose fields hutch does not check. */
const otherKinds = [
  'awsElasticBlockStore azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume flocker gcePersistentDisk gitRepo',
  'glusterfs image iscsi photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume',
]
  .join(' ')
  .split(' ')

const files = {
  items: [{ 'key!': 'nonempty', 'path!': 'nonempty', mode: 'count' }],
  defaultMode: 'count',
  optional: 'boolean',
} as const satisfies FieldType

const downwardFiles = [
  {
    'path!': 'nonempty',
    fieldRef: { 'fieldPath!': 'nonempty', apiVersion: 'string' },
    resourceFieldRef: { 'resource!': 'nonempty', containerName: 'string', divisor: 'quantity' },
    mode: 'count',
    [rule]: exactlyOne(['fieldRef', 'resourceFieldRef'], 'sources', 'has no source'),
  },
] as const satisfies FieldType

const source = { 'name!': 'nonempty', items: files.items, optional: 'boolean' } as const satisfies FieldType

const checkedKinds = {
  configMap: { 'name!': 'nonempty', ...files },
  secret: { 'secretName!': 'nonempty', ...files },
  emptyDir: { medium: 'string', sizeLimit: 'quantity' },
  hostPath: {
    'path!': 'nonempty',
    type: acceptWords(
      '',
      'DirectoryOrCreate',
      'Directory',
      'FileOrCreate',
      'File',
      'Socket',
      'CharDevice',
      'BlockDevice',
    ),
  },
  persistentVolumeClaim: { 'claimName!': 'nonempty', readOnly: 'boolean' },
  nfs: { 'server!': 'nonempty', 'path!': 'nonempty', readOnly: 'boolean' },
  downwardAPI: { items: downwardFiles, defaultMode: 'count' },
  projected: {
    sources: [
      {
        configMap: source,
        secret: source,
        downwardAPI: { items: downwardFiles },
        serviceAccountToken: { 'path!': 'nonempty', audience: 'string', expirationSeconds: 'positive' },
        clusterTrustBundle: 'any',
        podCertificate: 'any',
      },
    ],
    defaultMode: 'count',
  },
} as const satisfies FieldType

export const volume = {
  ...Object.fromEntries(otherKinds.map((kind) => [kind, 'any' as const])),
  ...checkedKinds,
  'name!': 'string',
  [rule]: exactlyOne([...Object.keys(checkedKinds), ...otherKinds], 'sources'),
} as const satisfies FieldType

/** The fields of a claim in volumeClaimTemplates. */
export const claimTemplate = {
  apiVersion: 'string',
  kind: 'string',
  'metadata!': metadata,
  'spec!': {
    accessModes: [acceptWords('ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod')],
    resources: { requests: { map: 'quantity' }, limits: { map: 'quantity' } },
    selector,
    storageClassName: 'string',
    volumeMode: acceptWords('Filesystem', 'Block'),
    volumeName: 'string',
    volumeAttributesClassName: 'string',
    dataSource: 'any',
    dataSourceRef: 'any',
  },
  status: 'any',
} as const satisfies FieldType
