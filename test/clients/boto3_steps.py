"""Each step through boto3 is one test; one JSON object a line says how it went."""
import hashlib
import os
import time
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from steps import run, same

BUCKET = 'boto3-%d' % time.time()
KEY = 'a b+c/中文.txt'
BIG = os.urandom(60 * 1000 * 1000)


def client(signature='s3v4', secret=os.environ['KEY_SECRET']):
    config = Config(signature_version=signature, s3={'addressing_style': 'path'}, retries={'max_attempts': 0})
    return boto3.client(
        's3',
        endpoint_url=os.environ['ENDPOINT'],
        region_name=os.environ['REGION'],
        aws_access_key_id=os.environ['KEY_ID'],
        aws_secret_access_key=secret,
        config=config,
    )


S3 = client()


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return same(error.response['Error']['Code'], code)
    raise AssertionError('was not refused')


def makes_a_bucket():
    S3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={'LocationConstraint': os.environ['REGION']})
    same(BUCKET in [one['Name'] for one in S3.list_buckets()['Buckets']], True)
    same(S3.get_bucket_location(Bucket=BUCKET)['LocationConstraint'], 'oss-' + os.environ['REGION'])
    S3.head_bucket(Bucket=BUCKET)


def puts_and_gets():
    answer = S3.put_object(
        Bucket=BUCKET, Key=KEY, Body=b'hello', ContentType='text/plain', Metadata={'uid': '1'}, Tagging='k=v'
    )
    same(answer['ETag'], '"%s"' % hashlib.md5(b'hello').hexdigest().upper())
    got = S3.get_object(Bucket=BUCKET, Key=KEY)
    same((got['Body'].read(), got['ContentType'], got['Metadata']), (b'hello', 'text/plain', {'uid': '1'}))
    same(S3.get_object(Bucket=BUCKET, Key=KEY, Range='bytes=1-3')['Body'].read(), b'ell')
    same(S3.get_object_tagging(Bucket=BUCKET, Key=KEY)['TagSet'], [{'Key': 'k', 'Value': 'v'}])


def obeys_conditions():
    etag = S3.head_object(Bucket=BUCKET, Key=KEY)['ETag']
    refused('304', S3.get_object, Bucket=BUCKET, Key=KEY, IfNoneMatch=etag)
    refused('PreconditionFailed', S3.get_object, Bucket=BUCKET, Key=KEY, IfMatch='"0"')


def uploads_and_copies_in_parts():
    with open('big', 'wb') as file:
        file.write(BIG)
    config = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20)
    S3.upload_file('big', BUCKET, 'big', ExtraArgs={'StorageClass': 'STANDARD_IA'}, Config=config)
    head = S3.head_object(Bucket=BUCKET, Key='big')
    same((head['ContentLength'], head['StorageClass']), (len(BIG), 'STANDARD_IA'))
    S3.copy({'Bucket': BUCKET, 'Key': 'big'}, BUCKET, 'big2', Config=config)
    S3.download_file(BUCKET, 'big2', 'back')
    with open('back', 'rb') as file:
        same(file.read() == BIG, True)


def copies_with_other_metadata():
    S3.copy_object(
        Bucket=BUCKET, Key='copy', CopySource={'Bucket': BUCKET, 'Key': KEY}, MetadataDirective='REPLACE',
        Metadata={'uid': '2'}, ContentType='text/html',
    )
    head = S3.head_object(Bucket=BUCKET, Key='copy')
    same((head['Metadata'], head['ContentType']), ({'uid': '2'}, 'text/html'))


def lists_unfinished_uploads_and_parts():
    upload = S3.create_multipart_upload(Bucket=BUCKET, Key='parts')['UploadId']
    S3.upload_part(Bucket=BUCKET, Key='parts', UploadId=upload, PartNumber=1, Body=b'x' * 200000)
    same([one['UploadId'] for one in S3.list_multipart_uploads(Bucket=BUCKET)['Uploads']], [upload])
    same([one['Size'] for one in S3.list_parts(Bucket=BUCKET, Key='parts', UploadId=upload)['Parts']], [200000])
    S3.abort_multipart_upload(Bucket=BUCKET, Key='parts', UploadId=upload)


def lists_in_pages():
    for at in range(25):
        S3.put_object(Bucket=BUCKET, Key='many/%d' % at, Body=b'')
    for operation in ('list_objects', 'list_objects_v2'):
        pages = S3.get_paginator(operation).paginate(Bucket=BUCKET, Prefix='many/', PaginationConfig={'PageSize': 10})
        same(sum(len(page['Contents']) for page in pages), 25)
    folders = S3.list_objects_v2(Bucket=BUCKET, Delimiter='/')['CommonPrefixes']
    same([one['Prefix'] for one in folders], ['a b+c/', 'many/'])


def keeps_versions():
    S3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={'Status': 'Enabled'})
    same(S3.get_bucket_versioning(Bucket=BUCKET)['Status'], 'Enabled')
    first = S3.put_object(Bucket=BUCKET, Key='versioned', Body=b'1')['VersionId']
    S3.put_object(Bucket=BUCKET, Key='versioned', Body=b'2')
    same(S3.delete_object(Bucket=BUCKET, Key='versioned')['DeleteMarker'], True)
    same(S3.get_object(Bucket=BUCKET, Key='versioned', VersionId=first)['Body'].read(), b'1')
    listed = S3.list_object_versions(Bucket=BUCKET, Prefix='versioned')
    same((len(listed['Versions']), len(listed['DeleteMarkers'])), (2, 1))


def sets_acls():
    S3.put_object_acl(Bucket=BUCKET, Key=KEY, ACL='public-read')
    grants = S3.get_object_acl(Bucket=BUCKET, Key=KEY)['Grants']
    same([one['Permission'] for one in grants], ['FULL_CONTROL', 'READ'])
    S3.put_bucket_acl(Bucket=BUCKET, ACL='private')
    same(len(S3.get_bucket_acl(Bucket=BUCKET)['Grants']), 1)


def sets_rules():
    rule = {
        'ID': 'old', 'Status': 'Enabled', 'Filter': {'Prefix': 'tmp/'}, 'Expiration': {'Days': 30},
        'Transitions': [{'Days': 10, 'StorageClass': 'STANDARD_IA'}],
        'AbortIncompleteMultipartUpload': {'DaysAfterInitiation': 3},
    }
    S3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={'Rules': [rule]})
    same(S3.get_bucket_lifecycle_configuration(Bucket=BUCKET)['Rules'], [rule])
    cors = {'AllowedOrigins': ['*'], 'AllowedMethods': ['GET']}
    S3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={'CORSRules': [cors]})
    same(S3.get_bucket_cors(Bucket=BUCKET)['CORSRules'], [cors])
    S3.put_bucket_logging(
        Bucket=BUCKET, BucketLoggingStatus={'LoggingEnabled': {'TargetBucket': BUCKET, 'TargetPrefix': 'log-'}}
    )
    same(S3.get_bucket_logging(Bucket=BUCKET)['LoggingEnabled']['TargetPrefix'], 'log-')


def restores_what_is_archived():
    S3.put_object(Bucket=BUCKET, Key='cold', Body=b'x', StorageClass='GLACIER')
    refused('InvalidObjectState', S3.get_object, Bucket=BUCKET, Key='cold')
    S3.restore_object(Bucket=BUCKET, Key='cold', RestoreRequest={'Days': 100})
    same(S3.head_object(Bucket=BUCKET, Key='cold')['Restore'], 'ongoing-request="true"')


def signs_urls():
    for signature in ('s3v4', 's3'):
        signer = client(signature)
        url = signer.generate_presigned_url('put_object', {'Bucket': BUCKET, 'Key': 'url ' + signature}, 600)
        urllib.request.urlopen(urllib.request.Request(url, data=b'by url', method='PUT', headers={'Content-Type': ''}))
        url = signer.generate_presigned_url('get_object', {'Bucket': BUCKET, 'Key': 'url ' + signature}, 600)
        same(urllib.request.urlopen(url).read(), b'by url')


def signs_forms():
    form = S3.generate_presigned_post(BUCKET, 'form', ExpiresIn=600)
    boundary = 'b0undary'
    parts = ['--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (boundary, *one) for one in form['fields'].items()]
    file = '--%s\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nby form\r\n--%s--\r\n'
    body = (''.join(parts) + file % (boundary, boundary)).encode()
    headers = {'Content-Type': 'multipart/form-data; boundary=' + boundary}
    urllib.request.urlopen(urllib.request.Request(form['url'], data=body, headers=headers))
    same(S3.get_object(Bucket=BUCKET, Key='form')['Body'].read(), b'by form')


def speaks_version_2():
    old = client('s3')
    old.put_object(Bucket=BUCKET, Key='v2 ' + KEY, Body=b'two', Metadata={'uid': '2'})
    got = old.get_object(Bucket=BUCKET, Key='v2 ' + KEY, ResponseContentType='text/html')
    same((got['Body'].read(), got['ContentType'], got['Metadata']), (b'two', 'text/html', {'uid': '2'}))
    # Not version 2 of the list: there it signs `list-type`, which is no sub-resource.
    same(len(old.list_objects(Bucket=BUCKET, Prefix='v2 ')['Contents']), 1)


def is_told_what_is_wrong():
    refused('NoSuchKey', S3.get_object, Bucket=BUCKET, Key='nothing')
    refused('NoSuchBucket', S3.list_objects_v2, Bucket='boto3-nothing')
    refused('404', S3.head_object, Bucket=BUCKET, Key='nothing')
    refused('SignatureDoesNotMatch', client(secret='wrong').list_objects_v2, Bucket=BUCKET)
    refused('SignatureDoesNotMatch', client('s3', 'wrong').list_objects_v2, Bucket=BUCKET)
    refused('NotImplemented', S3.get_object_lock_configuration, Bucket=BUCKET)
    refused('InvalidLocationConstraint', S3.create_bucket, Bucket=BUCKET + '-x',
            CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})


def removes_everything():
    listed = S3.list_object_versions(Bucket=BUCKET, MaxKeys=1000)
    names = [{'Key': one['Key'], 'VersionId': one['VersionId']} for one in listed['Versions'] + listed['DeleteMarkers']]
    same(len(S3.delete_objects(Bucket=BUCKET, Delete={'Objects': names})['Deleted']), len(names))
    S3.delete_bucket(Bucket=BUCKET)


run([
    makes_a_bucket, puts_and_gets, obeys_conditions, uploads_and_copies_in_parts, copies_with_other_metadata,
    lists_unfinished_uploads_and_parts, lists_in_pages, keeps_versions, sets_acls, sets_rules,
    restores_what_is_archived, signs_urls, signs_forms, speaks_version_2, is_told_what_is_wrong, removes_everything,
])
