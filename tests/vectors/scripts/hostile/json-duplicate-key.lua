-- expect: fails
return json.decode('{"a":1,"a":2}')
