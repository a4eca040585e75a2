// SPDX-License-Identifier: Apache-2.0
// Lists the fields of Kubernetes objects that hutch reads, with their types: API reference v1, apps/v1, batch/v1, node.k8s.io/v1,
// scheduling.k8s.io/v1. Pure.

/** The type of a field. An object lists its fields; an array has the type of its items. A name with `!` is required. */
export type FieldType =
  | 'string'
  | 'integer'
  | 'count'
  | 'boolean'
  | 'quantity'
  | 'port'
  | 'texts'
  | 'any'
  | { readonly [name: string]: FieldType }
  | { readonly words: readonly string[] }
  | { readonly map: FieldType }
  | readonly [FieldType]

const texts = { map: 'string' } as const
const words = (...list: string[]) => ({ words: list }) as const

const metadata = {
  name: 'string',
  generateName: 'string',
  namespace: 'string',
  uid: 'string',
  labels: texts,
  annotations: texts,
  creationTimestamp: 'any',
  resourceVersion: 'string',
  generation: 'integer',
  ownerReferences: 'any',
  finalizers: 'texts',
  managedFields: 'any',
  selfLink: 'string',
  deletionTimestamp: 'any',
  deletionGracePeriodSeconds: 'integer',
} as const satisfies FieldType

const selector = {
  matchLabels: texts,
  matchExpressions: [
    { 'key!': 'string', 'operator!': words('In', 'NotIn', 'Exists', 'DoesNotExist'), values: 'texts' },
  ],
} as const satisfies FieldType

const resources = {
  limits: { map: 'quantity' },
  requests: { map: 'quantity' },
  claims: [{ 'name!': 'string', request: 'string' }],
} as const satisfies FieldType

const handler = {
  exec: { command: 'texts' },
  httpGet: {
    path: 'string',
    'port!': 'port',
    host: 'string',
    scheme: words('HTTP', 'HTTPS'),
    httpHeaders: [{ 'name!': 'string', 'value!': 'string' }],
  },
  tcpSocket: { 'port!': 'port', host: 'string' },
} as const satisfies FieldType

const probe = {
  ...handler,
  grpc: { 'port!': 'integer', service: 'string' },
  initialDelaySeconds: 'count',
  timeoutSeconds: 'count',
  periodSeconds: 'count',
  successThreshold: 'count',
  failureThreshold: 'count',
  terminationGracePeriodSeconds: 'count',
} as const satisfies FieldType

const lifecycle = { ...handler, sleep: { 'seconds!': 'count' } } as const satisfies FieldType

const keyRef = { name: 'string', 'key!': 'string', optional: 'boolean' } as const satisfies FieldType

const profile = {
  'type!': words('RuntimeDefault', 'Unconfined', 'Localhost'),
  localhostProfile: 'string',
} as const satisfies FieldType

const seLinux = { user: 'string', role: 'string', type: 'string', level: 'string' } as const satisfies FieldType

const commonSecurity = {
  runAsUser: 'count',
  runAsGroup: 'count',
  runAsNonRoot: 'boolean',
  seLinuxOptions: seLinux,
  seccompProfile: profile,
  appArmorProfile: profile,
  windowsOptions: 'any',
} as const satisfies FieldType

const container = {
  'name!': 'string',
  'image!': 'string',
  imagePullPolicy: words('Always', 'IfNotPresent', 'Never'),
  command: 'texts',
  args: 'texts',
  workingDir: 'string',
  ports: [
    {
      'containerPort!': 'integer',
      name: 'string',
      protocol: words('TCP', 'UDP', 'SCTP'),
      hostPort: 'integer',
      hostIP: 'string',
    },
  ],
  env: [
    {
      'name!': 'string',
      value: 'string',
      valueFrom: {
        configMapKeyRef: keyRef,
        secretKeyRef: keyRef,
        fieldRef: { 'fieldPath!': 'string', apiVersion: 'string' },
        resourceFieldRef: { 'resource!': 'string', containerName: 'string', divisor: 'quantity' },
        fileKeyRef: 'any',
      },
    },
  ],
  envFrom: [
    {
      prefix: 'string',
      configMapRef: { name: 'string', optional: 'boolean' },
      secretRef: { name: 'string', optional: 'boolean' },
    },
  ],
  resources,
  resizePolicy: [
    {
      'resourceName!': words('cpu', 'memory'),
      'restartPolicy!': words('NotRequired', 'RestartContainer'),
    },
  ],
  restartPolicy: words('Always', 'OnFailure', 'Never'),
  restartPolicyRules: 'any',
  volumeMounts: [
    {
      'name!': 'string',
      'mountPath!': 'string',
      subPath: 'string',
      subPathExpr: 'string',
      readOnly: 'boolean',
      recursiveReadOnly: words('Disabled', 'IfPossible', 'Enabled'),
      mountPropagation: words('None', 'HostToContainer', 'Bidirectional'),
    },
  ],
  volumeDevices: [{ 'name!': 'string', 'devicePath!': 'string' }],
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: { postStart: lifecycle, preStop: lifecycle, stopSignal: 'string' },
  securityContext: {
    ...commonSecurity,
    allowPrivilegeEscalation: 'boolean',
    capabilities: { add: 'texts', drop: 'texts' },
    privileged: 'boolean',
    procMount: words('Default', 'Unmasked'),
    readOnlyRootFilesystem: 'boolean',
    cgroupOptions: 'any',
  },
  terminationMessagePath: 'string',
  terminationMessagePolicy: words('File', 'FallbackToLogsOnError'),
  stdin: 'boolean',
  stdinOnce: 'boolean',
  tty: 'boolean',
} as const satisfies FieldType

/** Kinds of volumes that hutch does not look into. */
const volumeKinds = [
  'awsElasticBlockStore azureDisk azureFile cephfs cinder configMap csi downwardAPI ephemeral fc flexVolume flocker',
  'gcePersistentDisk gitRepo glusterfs hostPath image iscsi nfs persistentVolumeClaim photonPersistentDisk portworxVolume',
  'projected quobyte rbd scaleIO secret storageos vsphereVolume',
]
  .join(' ')
  .split(' ')

/** The fields of a pod, also of the template of a workload. */
const podSpec = {
  'containers!': [container],
  initContainers: [container],
  ephemeralContainers: 'any',
  resources,
  overhead: { map: 'quantity' },
  restartPolicy: words('Always', 'OnFailure', 'Never'),
  terminationGracePeriodSeconds: 'count',
  activeDeadlineSeconds: 'count',
  dnsPolicy: words('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'),
  dnsConfig: 'any',
  nodeSelector: texts,
  nodeName: 'string',
  serviceAccountName: 'string',
  serviceAccount: 'string',
  automountServiceAccountToken: 'boolean',
  hostNetwork: 'boolean',
  hostPID: 'boolean',
  hostIPC: 'boolean',
  hostUsers: 'boolean',
  hostname: 'string',
  hostnameOverride: 'string',
  subdomain: 'string',
  setHostnameAsFQDN: 'boolean',
  shareProcessNamespace: 'boolean',
  securityContext: {
    ...commonSecurity,
    fsGroup: 'count',
    fsGroupChangePolicy: words('Always', 'OnRootMismatch'),
    supplementalGroups: ['count'],
    supplementalGroupsPolicy: words('Merge', 'Strict'),
    seLinuxChangePolicy: words('Recursive', 'MountOption'),
    sysctls: [{ 'name!': 'string', 'value!': 'string' }],
  },
  imagePullSecrets: [{ name: 'string' }],
  affinity: 'any',
  schedulerName: 'string',
  schedulingGates: [{ 'name!': 'string' }],
  tolerations: [
    {
      key: 'string',
      operator: words('Exists', 'Equal', 'Lt', 'Gt'),
      value: 'string',
      effect: words('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
      tolerationSeconds: 'integer',
    },
  ],
  topologySpreadConstraints: [
    {
      'maxSkew!': 'integer',
      'topologyKey!': 'string',
      'whenUnsatisfiable!': words('DoNotSchedule', 'ScheduleAnyway'),
      labelSelector: selector,
      minDomains: 'count',
      nodeAffinityPolicy: words('Honor', 'Ignore'),
      nodeTaintsPolicy: words('Honor', 'Ignore'),
      matchLabelKeys: 'texts',
    },
  ],
  hostAliases: [{ 'ip!': 'string', hostnames: 'texts' }],
  priorityClassName: 'string',
  priority: 'integer',
  preemptionPolicy: words('Never', 'PreemptLowerPriority'),
  runtimeClassName: 'string',
  enableServiceLinks: 'boolean',
  readinessGates: [{ 'conditionType!': 'string' }],
  os: { 'name!': words('linux', 'windows') },
  resourceClaims: 'any',
  volumes: [
    {
      ...Object.fromEntries(volumeKinds.map((kind) => [kind, 'any' as const])),
      'name!': 'string',
      emptyDir: { medium: 'string', sizeLimit: 'quantity' },
    },
  ],
} as const satisfies FieldType

const template = { metadata, 'spec!': podSpec } as const satisfies FieldType

const jobSpec = {
  'template!': template,
  parallelism: 'count',
  completions: 'count',
  completionMode: words('NonIndexed', 'Indexed'),
  backoffLimit: 'count',
  backoffLimitPerIndex: 'count',
  maxFailedIndexes: 'count',
  activeDeadlineSeconds: 'count',
  ttlSecondsAfterFinished: 'count',
  suspend: 'boolean',
  selector,
  manualSelector: 'boolean',
  podFailurePolicy: 'any',
  podReplacementPolicy: words('TerminatingOrFailed', 'Failed'),
  successPolicy: 'any',
  managedBy: 'string',
} as const satisfies FieldType

const replicated = {
  replicas: 'count',
  'selector!': selector,
  'template!': template,
  minReadySeconds: 'count',
} as const satisfies FieldType

/** What a kind of object is: its API version, its fields, and where its pods are described. */
export interface ManifestKind {
  apiVersion: string
  /** Fields of the object beside apiVersion, kind and metadata. */
  fields: { readonly [name: string]: FieldType }
  /** Path of the PodSpec. Absent for a kind without pods. */
  pod?: readonly string[]
  /** Path of the number of pods. */
  count?: readonly string[]
  /** Restart policies of the pods that the kind accepts. */
  restart?: readonly string[]
  /** Longest name; 253 by default. */
  maxName?: number
}

const apps = { apiVersion: 'apps/v1', pod: ['spec', 'template', 'spec'], restart: ['Always'] } as const

export const manifestKinds: { readonly [kind: string]: ManifestKind } = {
  Pod: { apiVersion: 'v1', fields: { 'spec!': podSpec, status: 'any' }, pod: ['spec'] },
  Deployment: {
    ...apps,
    count: ['spec', 'replicas'],
    fields: {
      'spec!': {
        ...replicated,
        strategy: 'any',
        revisionHistoryLimit: 'count',
        paused: 'boolean',
        progressDeadlineSeconds: 'count',
      },
      status: 'any',
    },
  },
  ReplicaSet: { ...apps, count: ['spec', 'replicas'], fields: { 'spec!': replicated, status: 'any' } },
  StatefulSet: {
    ...apps,
    count: ['spec', 'replicas'],
    fields: {
      'spec!': {
        ...replicated,
        serviceName: 'string',
        volumeClaimTemplates: 'any',
        podManagementPolicy: words('OrderedReady', 'Parallel'),
        updateStrategy: 'any',
        revisionHistoryLimit: 'count',
        persistentVolumeClaimRetentionPolicy: 'any',
        ordinals: 'any',
      },
      status: 'any',
    },
  },
  DaemonSet: {
    ...apps,
    fields: {
      'spec!': {
        'selector!': selector,
        'template!': template,
        minReadySeconds: 'count',
        updateStrategy: 'any',
        revisionHistoryLimit: 'count',
      },
      status: 'any',
    },
  },
  Job: {
    apiVersion: 'batch/v1',
    fields: { 'spec!': jobSpec, status: 'any' },
    pod: ['spec', 'template', 'spec'],
    count: ['spec', 'parallelism'],
    restart: ['OnFailure', 'Never'],
    maxName: 63,
  },
  CronJob: {
    apiVersion: 'batch/v1',
    fields: {
      'spec!': {
        'schedule!': 'string',
        'jobTemplate!': { metadata, 'spec!': jobSpec },
        timeZone: 'string',
        concurrencyPolicy: words('Allow', 'Forbid', 'Replace'),
        startingDeadlineSeconds: 'count',
        suspend: 'boolean',
        successfulJobsHistoryLimit: 'count',
        failedJobsHistoryLimit: 'count',
      },
      status: 'any',
    },
    pod: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
    count: ['spec', 'jobTemplate', 'spec', 'parallelism'],
    restart: ['OnFailure', 'Never'],
    maxName: 52,
  },
  RuntimeClass: {
    apiVersion: 'node.k8s.io/v1',
    fields: { 'handler!': 'string', overhead: { podFixed: { map: 'quantity' } }, scheduling: 'any' },
  },
  PriorityClass: {
    apiVersion: 'scheduling.k8s.io/v1',
    fields: {
      'value!': 'integer',
      globalDefault: 'boolean',
      description: 'string',
      preemptionPolicy: words('Never', 'PreemptLowerPriority'),
    },
  },
}

/** The fields that each object has. */
export const objectFields = { 'apiVersion!': 'string', 'kind!': 'string', 'metadata!': metadata } as const
