"""Each step through Apache Libcloud's driver for OSS is one test; one JSON object a line says how it went."""
import io
import os
import time

from libcloud.storage.providers import get_driver
from libcloud.storage.types import ObjectDoesNotExistError, Provider
from steps import run, same

NAME = 'libcloud-%d' % time.time()
BIG = os.urandom(3 * 1024 * 1024 + 7)
# They go to this address with the service's own domains as Host.
def driver():
    key = os.environ['KEY_ID'], os.environ['KEY_SECRET']
    return get_driver(Provider.ALIYUN_OSS)(*key, secure=False, host='127.0.0.1', port=int(os.environ['PORT']))


DRIVER = driver()


def container():
    return DRIVER.get_container(NAME)


def makes_a_bucket():
    DRIVER.create_container(NAME, ex_location='oss-' + os.environ['REGION'])
    same(NAME in [one.name for one in DRIVER.iterate_containers()], True)


def uploads_as_packaged():
    made = driver().create_container(NAME + '-b', ex_location='oss-' + os.environ['REGION'])
    made.upload_object_via_stream(io.BytesIO(b'hello'), 'as packaged')


def uploads_and_downloads():
    with open('hello.txt', 'w') as file:
        file.write('hello')
    # Uploads leave the bucket out of the host; later versions do not (https://github.com/apache/libcloud/pull/1794).
    request, wanted = DRIVER.connection.request, container()
    DRIVER.connection.request = lambda *args, **rest: request(
        *args, **({'container': wanted, **rest} if rest.get('method') == 'PUT' else rest)
    )
    uploaded = container().upload_object(
        'hello.txt', 'dir/hello.txt', extra={'meta_data': {'uid': '1'}}, verify_hash=False
    )
    same(uploaded.size, 5)
    found = container().get_object('dir/hello.txt')
    same((found.size, found.meta_data.get('uid')), (5, '1'))
    found.download('back.txt', overwrite_existing=True)
    with open('back.txt') as file:
        same(file.read(), 'hello')


def streams_up():
    container().upload_object_via_stream(io.BytesIO(BIG), 'big')
    container().get_object('big').download('big', overwrite_existing=True)
    with open('big', 'rb') as file:
        same(file.read() == BIG, True)


def compares_its_sum():
    container().upload_object('hello.txt', 'summed.txt')


def lists():
    same([one.name for one in container().iterate_objects(prefix='dir/')], ['dir/hello.txt'])
    same(sorted(one.name for one in container().iterate_objects()), ['big', 'dir/hello.txt'])


def tells_unfinished_uploads():
    same(list(DRIVER.ex_iterate_multipart_uploads(container())), [])


def is_told_what_is_missing():
    try:
        container().get_object('nothing')
    except ObjectDoesNotExistError:
        return
    raise AssertionError('found what is not there')


def removes_everything():
    for one in container().iterate_objects():
        same(one.delete(), True)
    same(container().delete(), True)


run([
    makes_a_bucket, uploads_and_downloads, streams_up, lists, compares_its_sum, tells_unfinished_uploads,
    is_told_what_is_missing, removes_everything, uploads_as_packaged,
])
