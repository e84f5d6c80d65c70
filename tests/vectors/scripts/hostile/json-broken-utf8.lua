-- expect: fails
return json.decode('"\xff"')
