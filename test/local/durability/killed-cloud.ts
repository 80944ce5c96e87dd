import OSS from 'ali-oss'
import TableStore from 'tablestore'
import { CloudProcess, newDataDir } from '../../cloud-process.ts'

/** `npm run cloud` with clients of where it listens now. */
export class KilledCloud extends CloudProcess {
  static async open(): Promise<KilledCloud> {
    const cloud = new KilledCloud('cloud', await newDataDir('durability'))
    await cloud.start()
    return cloud
  }

  clients() {
    const { oss, tablestore, accessKeyId, accessKeySecret } = this.running
    const keys = { accessKeyId, accessKeySecret }
    const place = { endpoint: oss.endpoint, bucket: oss.bucket, region: 'oss-cn-hangzhou', authorizationV4: true }
    return {
      oss: new OSS({ ...keys, ...place, sldEnable: true, retryMax: 0 } as OSS.Options),
      tables: new TableStore.Client({
        ...keys,
        endpoint: tablestore.endpoint,
        instancename: tablestore.instance,
        maxRetries: 0,
      }),
    }
  }
}

export type Clients = ReturnType<KilledCloud['clients']>
