import functions_framework


@functions_framework.http
def handler(request):
    return {"n": request.get_json()["n"] + 1}
