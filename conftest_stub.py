exec(open('/tmp/stub.py').read())
