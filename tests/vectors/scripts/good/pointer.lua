-- expect: returns 2345.67
return json.pointer(body, "/data/0/price")
